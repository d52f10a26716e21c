"""From labelled frames to network inputs and targets, one random draw at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eq_eval.training.augmentation import augment
from eq_eval.training.augmentation import Augmentation
from eq_eval.training.labeled_frames import LabeledFrames
from eq_eval.training.pasting import ObjectBank
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.preprocess import pillarize
from eq_perception.detection.targets import make_targets
from eq_perception.detection.targets import Targets

Sample = tuple[NDArray[np.float32], NDArray[np.int64], Targets]     # pillars, their index, targets


class FrameSamples:
    """Draws samples: a frame, objects of other frames set down in it, all of it changed.

    Every sample is of one scan: labelled frames seldom have labelled or even any neighbours.
    """

    def __init__(self, frames: LabeledFrames, config: DetectorConfig, augmentation: Augmentation,
                 pasted: int) -> None:
        """Cuts the objects out.

        Args:
            frames: What is learnt from.
            config: The detector's grid and classes.
            augmentation: Random changes.
            pasted: Most objects that are set down in a frame.
        """
        self._frames, self._config = frames.frames, config
        self._augmentation, self._pasted = augmentation, pasted
        self._bank = ObjectBank(self._frames, config)

    def sample(self, rng: np.random.Generator) -> Sample:
        """Draws one sample."""
        frame = self._frames[rng.integers(len(self._frames))]
        points, boxes, num_points = self._bank.paste(
            frame, int(rng.integers(self._pasted + 1)), rng)
        seen = augment(points, boxes, self._augmentation, rng)
        pillars = pillarize(seen.points, self._config, max_pillars=0)
        targets = make_targets(seen.boxes, num_points, pillars.ground, self._config, False)
        known = frame.background(self._config, seen.linear)
        return pillars.points, pillars.index, replace(
            targets, background=targets.background * known)
