"""Makes the training scenes: short simulated sequences, in parallel, resumable."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

SCANS_PER_SEQUENCE = 3    # newest and the two sweeps before it
BOOST = {'cyclists': 1.5, 'pedestrians': 1.5}   # rare classes are drawn more often to learn from


def make_scenes(folder: Path, count: int, seed: int, workers: int = 2) -> Iterator[int]:
    """Writes what is missing of `count` training sequences and yields how many are there.

    Args:
        folder: Where they go.
        count: Sequences wanted; sequence i depends on `seed` and i only.
        seed: Seed of all draws.
        workers: Processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(count) if not _path(folder, number).exists()]
    yield count - len(missing)
    with ProcessPoolExecutor(workers) as pool:
        for done, _ in enumerate(pool.map(
                _write, [(folder, number, seed) for number in missing], chunksize=4), 1):
            yield count - len(missing) + done


def _path(folder: Path, number: int) -> Path:
    return folder / f'{number:05d}.npz'


def _write(task: tuple[Path, int, int]) -> None:
    from eq_eval.simulation import sample_specs
    from eq_eval.simulation import simulate
    from eq_eval.training.scan_store import write_sequence

    folder, number, seed = task
    spec = sample_specs('train', number + 1, seed, SCANS_PER_SEQUENCE, stride=1)[number]
    world = replace(spec.world, **{name: factor * getattr(spec.world, name)
                                   for name, factor in BOOST.items()})
    write_sequence(_path(folder, number), list(simulate(replace(spec, world=world))))
