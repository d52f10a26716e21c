"""The simulated worlds on which models are compared: never seen in training."""

from __future__ import annotations

from collections.abc import Iterator

from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan

SEED = 2024


def held_out_worlds(count: int, sweeps: int = 1, seed: int = SEED) -> Recording:
    """Opens the test worlds: all kinds of world and sensor, drawn with fixed seeds.

    Each sequence gives three scored scans, one second apart (with several sweeps, three turns of
    the sensor apart), and is followed by the next world; more scans extend the set.

    Args:
        count: Scans that are scored.
        sweeps: Scans of which each scored one is the newest.
        seed: Number of the draw.
    """
    scored = 3

    def load(lost: list[str]) -> Iterator[LabeledScan]:
        from eq_eval.simulation import sample_specs
        from eq_eval.simulation import simulate
        specs = sample_specs('test', -(-count // scored), seed, scored * sweeps,
                             10 if sweeps == 1 else 1)
        given = 0
        for spec in specs:
            for scan in simulate(spec):
                if given == count * sweeps:
                    return
                given += 1
                yield scan

    return Recording('test_worlds', 'simulated', count, load, has_boxes=True, has_velocity=True)


def held_out_sequences(count: int, scans: int, seed: int = SEED) -> Recording:
    """Opens unbroken test sequences: every turn of the sensor, ten a second.

    Args:
        count: Sequences, each in another world and with any of the sensors.
        scans: Scans of each.
        seed: Number of the draw.
    """
    def load(lost: list[str]) -> Iterator[LabeledScan]:
        from eq_eval.simulation import sample_specs
        from eq_eval.simulation import simulate
        for spec in sample_specs('test', count, seed, scans, 1):
            yield from simulate(spec)

    return Recording('test_sequences', 'simulated', count * scans, load, has_boxes=True,
                     has_velocity=True)
