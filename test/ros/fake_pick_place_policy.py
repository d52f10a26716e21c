"""The real node with a policy that does what the red of the table tells it to."""

from __future__ import annotations

import os
import sys
import time

import numpy as np

if 'EQ_TEST_WITHOUT_OUR_MSGS' in os.environ:    # as where they could not be generated
    for name in ('eq_msgs', 'vision_msgs'):
        sys.modules[name] = None  # type: ignore[assignment]

from eq_core.geometry.heightmap import HeightMap
from eq_manipulation.nodes.pick_place_policy import Parameters
from eq_manipulation.nodes.pick_place_policy import PickPlacePolicyNode
from eq_manipulation.outcome import PickPlace
from eq_manipulation.planar.config import PlanarConfig
from eq_ros.process import run

CONFIG = PlanarConfig(rows=64, columns=64, resolution=.00625, depth=.3, fields=(6, 12, 12, 12),
                      crop=32, rotations=36, frequencies=8)
GOOD, LOW, OUTSIDE, UNSEEN, NONSENSE, RAISE, SLOW = range(60, 200, 20)     # of 255


class FakePolicy:
    """Picks the highest point and places it in the middle."""

    config = CONFIG
    notes = ('a note of the backend',)

    def plan(self, heightmap: HeightMap, count: int = 5) -> PickPlace:
        """Answers, or does not."""
        told = min(range(GOOD, 200, 20),
                   key=lambda code: abs(np.median(heightmap.color[..., 0]) * 255 - code))
        if told == SLOW:
            time.sleep(1.)
        if told == RAISE:
            raise ValueError('told to raise')
        row, column = divmod(int(heightmap.height.argmax()), heightmap.height.shape[1])
        pick, place = np.eye(4), np.eye(4)
        place[:2, :2] = [[0, -1], [1, 0]]
        pick[:3, 3] = heightmap.surface(np.array([column, row]))
        place[:3, 3] = heightmap.surface(np.array([32, 32]))
        if told == OUTSIDE:
            pick[0, 3] = heightmap.workspace.upper[0] + .01
        if told == UNSEEN:
            row, column = np.argwhere(~heightmap.seen)[0]
            place[:3, 3] = heightmap.surface(np.array([column, row]))
        if told == NONSENSE:
            pick[0, 3] = np.nan
        score = np.array([.9, .6, .1])[:count]
        heat = np.zeros((32, 32), np.float32)
        heat[3, 4] = 1
        return PickPlace(np.stack([pick] * len(score)), score, place[None],
                         np.array([.1 if told == LOW else .8]), heat, np.zeros_like(heat),
                         heightmap.frame_id, heightmap.stamp)

    def close(self) -> None:
        """Has nothing to let go of."""


def make(parameters: Parameters) -> FakePolicy:
    return FakePolicy()


if __name__ == '__main__':
    sys.exit(run(lambda: PickPlacePolicyNode(make)))
