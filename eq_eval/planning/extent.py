"""How much of a benchmark is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Say = Callable[[str], None]


@dataclass(frozen=True)
class Extent:
    """How much of a task is run.

    Attributes:
        maps: Numbers of training maps.
        seeds: Seeds of the trainings.
        test_maps: Maps of each test.
        starts: Starts on each of them.
        families: Families of N1.
        view_steps: Optimiser steps of each training of N7.
        policy_maps: Numbers of training maps of MP.
        policy_steps: Optimiser steps of MP.
    """

    maps: tuple[int, ...] = (100, 1000)
    seeds: tuple[int, ...] = (0, 1, 2)
    test_maps: int = 2000
    starts: int = 10
    families: int = 8
    view_steps: int = 600
    policy_maps: tuple[int, ...] = (10, 100)
    policy_steps: int = 200


QUICK = Extent((100,), (0,), 100, 10, 1, 200, (30,), 30)
