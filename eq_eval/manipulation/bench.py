"""Measures a policy on a task, its plain twin beside it, and what the Fourier domain saves."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from functools import partial
from pathlib import Path
import time
from typing import Any

import numpy as np

from eq_core.geometry.heightmap import HeightMap
from eq_core.groups.so2_fourier import circle_angles
from eq_core.groups.so2_fourier import circular_harmonics
from eq_eval.manipulation.evaluation import evaluate
from eq_eval.manipulation.evaluation import summarize
from eq_eval.manipulation.laws import between_errors
from eq_eval.manipulation.learning import open_or_learn
from eq_eval.manipulation.learning import shipped_policy
from eq_eval.manipulation.tasks import demonstrations_of
from eq_eval.manipulation.tasks import open_task
from eq_manipulation.planar.correlation import correlate
from eq_manipulation.planar.correlation import fiber_kernels
from eq_manipulation.planar.correlation import lift
from eq_manipulation.planar.policy import PlanarPolicy

GROUPS = {'ours': 'C4', 'transporter': 'C1'}
BETWEEN = (15., 30., 45., 60., 75.)     # turns of a table that its grid does not carry [deg]
REPEATS = 10    # of each timed step
FIRST_SEED = 1001   # odd seeds below it are free for choosing a recipe

Say = Callable[[str], None]


def unseen_seeds(count: int) -> list[int]:
    """Odd seeds of episodes that no policy was shown and no recipe was chosen on."""
    return [FIRST_SEED + 2 * number for number in range(count)]


def bench_task(name: str, demos: int, scenes: int, seeds: list[int], labels: Collection[str],
               threads: int, say: Say, quick: bool = False, given: Path | None = None
               ) -> dict[str, Any]:
    """Trains what was not trained before, and runs unseen episodes.

    Args:
        name: Name of the task.
        demos: Episodes that are learnt from.
        scenes: Unseen episodes.
        seeds: Seeds of the trainings.
        labels: Which of `GROUPS` are measured.
        threads: Of training and inference.
        say: Told what is done.
        quick: Whether a shipped policy is measured where there is one, and nothing trained.
        given: Folder of the policy to measure, instead of training one.

    Returns:
        ``success`` (mean reward x 100 over seeds and scenes), ``success_strict``, ``scenes``,
        ``seeds``, ``ms`` per decision, ``training``, under ``peers`` the same of the twin, and
        under ``between``, of a square table with one object, errors at turns that its grid does
        not carry.
    """
    if given is None and not quick:
        # Recorded before the task is opened: Ravens has one simulator in a process.
        demonstrations_of(name, demos)
    task = open_task(name)
    try:
        answers: dict[str, Any] = {}
        for label, group in GROUPS.items():
            if label not in labels:
                continue
            rows = []
            for seed in seeds:
                ready = given if label == 'ours' and given is not None else (
                    shipped_policy(name, demos) if quick else None)
                if ready is None:
                    policy, folder, training = open_or_learn(
                        name, demos, group, seed, threads, progress=partial(_training, say, label))
                    kept = folder / 'episodes.jsonl'
                else:
                    policy = PlanarPolicy.from_bundle(ready, threads=threads)
                    kept, training = None, {'policy': ready.name}
                episodes = evaluate(policy, task, unseen_seeds(scenes),
                                    partial(_episodes, say, label, scenes), kept)
                rows.append({**summarize(episodes), 'training': training, 'seed': seed})
                if label == 'ours' and seed == seeds[0]:
                    task.reset(unseen_seeds(1)[0])
                    answers['timing'] = correlation_times(policy, task.look())
                    if task.max_steps == 1 and policy.config.rows == policy.config.columns:
                        answers['timing']['between'] = between_errors(policy, task.look(), BETWEEN)
                policy.close()
            answers[label] = _joined(rows)
    finally:
        task.close()
    first = answers.pop('ours') | answers.pop('timing') if 'ours' in answers else {}
    return {'task': name, 'demos': demos, 'scenes': scenes, 'seeds': seeds, **first,
            'peers': answers}


def correlation_times(policy: PlanarPolicy, heightmap: HeightMap) -> dict[str, float]:
    """Times the comparison of a crop with the scene in the Fourier domain and without it.

    Returns:
        Medians [ms]: ``fourier_ms``, by the 2 F + 1 kernels of the fibre's Fourier domain;
        ``copies_ms``, all N turned copies, by FFT; ``direct_ms``, all N copies without any
        Fourier transform, by the convolution of torch if it is installed.
    """
    config = policy.config
    edge, key = config.size // 2, config.crop // 2
    rng = np.random.default_rng(0)
    phi = rng.standard_normal((config.features, edge, edge)).astype(np.float32)
    psi = rng.standard_normal((config.features, key, key)).astype(np.float32)
    angles = circle_angles(config.rotations)
    basis = circular_harmonics(angles, config.frequencies).astype(np.float32)
    steps: dict[str, Callable[[], object]] = {
        'decision_ms': lambda: policy.plan(heightmap),
        'fourier_ms': lambda: np.tensordot(basis, correlate(phi, fiber_kernels(
            psi, config.rotations, config.frequencies)), 1),
        'copies_ms': lambda: correlate(phi, lift(psi, config.rotations))}
    try:
        import torch
        scene = torch.from_numpy(phi)[None]
        steps['direct_ms'] = lambda: torch.nn.functional.conv2d(
            scene, torch.from_numpy(np.ascontiguousarray(lift(psi, config.rotations))),
            padding=key // 2)
    except ImportError:
        pass
    return {name: _median_ms(run) for name, run in steps.items()}


def _training(say: Say, label: str, step: int, row: dict[str, float]) -> None:
    say(f'{label}: step {step}, loss {row["total"]:.3f}')


def _episodes(say: Say, label: str, scenes: int, done: int) -> None:
    say(f'{label}: {done} of {scenes} episodes')


def _median_ms(run: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return float(np.median(times))


def _joined(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the seeds of the training, and what each gave."""
    def mean(key: str) -> float | None:
        values = [row[key] for row in rows if row[key] is not None]
        return float(np.mean(values)) if values else None
    return {key: mean(key) for key in ('success', 'success_strict', 'ms')} | {'runs': rows}
