"""What fixes a training run."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from eq_core.errors import ConfigError
from eq_eval.training.augmentation import Augmentation
from eq_manipulation.planar.config import PlanarConfig
from eq_manipulation.spatial.config import SpatialConfig
from eq_navigation.config import PlannerConfig
from eq_navigation.config import ViewPlannerConfig
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.heading import HeadingConfig
from eq_perception.panoptic.config import SegmenterConfig
from eq_perception.pretraining.config import Objectives


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe:
    """What fixes any training run, besides the network and the samples.

    Attributes:
        iterations: Optimiser steps.
        batch_size: Samples of a step.
        learning_rate: Peak of the one-cycle schedule.
        weight_decay: Of AdamW.
        warm_up: Part of the steps that raise the learning rate.
        averaging: Decay of the exponential moving average of the weights that is exported.
        fraction: Part of the training samples that is used.
        seed: Seed of weights and draws.
        threads: Threads of torch.
    """

    iterations: int = 4000
    batch_size: int = 4
    learning_rate: float = 3e-3
    weight_decay: float = .01
    warm_up: float = .1
    averaging: float = .998
    fraction: float = 1.
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            ConfigError: A value is out of range.
        """
        if self.iterations < 1 or self.batch_size < 1:
            raise ConfigError('iterations and batch_size must be at least 1, got '
                              f'{self.iterations} and {self.batch_size}')
        if not 0 < self.fraction <= 1:
            raise ConfigError(f'fraction must be in (0, 1], got {self.fraction}')

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a manifest or a log."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Recipe(TrainingRecipe):
    """One training run of the detector.

    Attributes:
        detector: Network and grid.
        augmentation: Random changes of each sample.
        initial: Name and SHA-256 of the weights that the network starts from, if any.
        recorded: Scans of recordings that are learnt from besides the scenes, if any.
        pasted: Most objects of recorded scans that are set down in another one.
        frozen: Part of the network that keeps its weights, see `detector.FROZEN`.
    """

    detector: DetectorConfig = field(default_factory=DetectorConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    initial: str = ''
    recorded: str = ''
    pasted: int = 10
    frozen: str = 'nothing'


@dataclass(frozen=True, kw_only=True)
class PretrainingRecipe(TrainingRecipe):
    """One pre-training run of the network that detector and segmenter share.

    Attributes:
        detector: Network and grid.
        objectives: What is asked.
        augmentation: Random changes of each view; ranges of turn, scale and shift as published.
        recorded: Scans of recordings that are looked at besides the scenes, if any.
    """

    detector: DetectorConfig = field(default_factory=DetectorConfig)
    objectives: Objectives = field(default_factory=Objectives)
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(yaw_degrees=90., shift=.2))
    recorded: str = ''
    iterations: int = 2000
    batch_size: int = 2


@dataclass(frozen=True, kw_only=True)
class HeadingRecipe(TrainingRecipe):
    """One training run of the second look that tells directions.

    Attributes:
        heading: The network.
        detector: Name and SHA-256 of the detector whose boxes are looked at.
        thinned: Share of the objects of whose points only a part is kept.
        yaw_noise: Standard deviation by which frames of boxes are turned [rad].
        shift_noise: That by which they are moved along and across, half of it up [m].
        forgotten: Share of the objects whose first guess is not told; likewise of velocities and
            of intensities.
    """

    heading: HeadingConfig = field(default_factory=HeadingConfig)
    detector: str = ''
    thinned: float = .3
    yaw_noise: float = .02
    shift_noise: float = .05
    forgotten: float = .2
    iterations: int = 12000
    batch_size: int = 128
    learning_rate: float = 2e-3


@dataclass(frozen=True, kw_only=True)
class SegmenterRecipe(Recipe):
    """One training run of the segmenter.

    Attributes:
        segmenter: Network and grid; its `detector` is the recipe's.
        points_per_scan: Labelled points drawn from each scan.
        semantic_weight: Of the losses of the points' classes beside those of boxes and instances.
    """

    segmenter: SegmenterConfig = field(default_factory=SegmenterConfig)
    points_per_scan: int = 8192
    semantic_weight: float = 1.


@dataclass(frozen=True, kw_only=True)
class PlannerRecipe(TrainingRecipe):
    """One training run of a planner.

    Attributes:
        planner: The network.
        task: What is planned on.
        maps: Maps with demonstrations that are learnt from.
        sharpness: Of the loss, 1 or more, once the first steps are taken; it begins at 1.
    """

    planner: PlannerConfig = field(default_factory=PlannerConfig)
    task: str = 'mazes'
    maps: int = 1000
    sharpness: float = 300.
    iterations: int = 400
    batch_size: int = 32
    learning_rate: float = 1e-2
    averaging: float = .98


@dataclass(frozen=True, kw_only=True)
class ViewPlannerRecipe(TrainingRecipe):
    """One training run of a planner that knows places by their camera views.

    Attributes:
        network: The network.
        maps: Mazes with demonstrations that are learnt from.
        turned: Whether the robot faces a random way at each place, anew in each batch; else it
            always faces the same way.
    """

    network: ViewPlannerConfig = field(default_factory=ViewPlannerConfig)
    maps: int = 100
    turned: bool = False
    iterations: int = 600
    batch_size: int = 8
    learning_rate: float = 3e-3
    averaging: float = .98


@dataclass(frozen=True, kw_only=True)
class PolicyRecipe(TrainingRecipe):
    """One training run of a planar policy of pick and place.

    Attributes:
        policy: The networks.
        task: What is learned.
        demos: Episodes that were shown.
        yaw_degrees: Pictures are turned by up to so much, either way.
        shift: They are moved by up to so much along each axis [m].
        scale: Logarithm by which they are scaled at most, as things come in several sizes.
        rearrange: Share of the samples whose object is put elsewhere, its place staying.
        finished: Share of the samples in which a copy of the object lies at its place, so that it
            is learned not to pick there; the place is not taught by them.
        settled: Part of the steps after which normalisation goes by its moving statistics.
        initial: Name and SHA-256 of the policy that it starts from, if any.
        brightness: Logarithm by which all colours are scaled at most.
        tint: Logarithm by which each colour channel is scaled at most beyond that.
        height_scale: Logarithm by which heights are scaled at most.
    """

    policy: PlanarConfig = field(default_factory=PlanarConfig)
    task: str = ''
    demos: int = 1
    yaw_degrees: float = 180.
    shift: float = .1
    scale: float = .2
    rearrange: float = .5
    finished: float = .2
    settled: float = .3
    initial: str = ''
    brightness: float = .2
    tint: float = .1
    height_scale: float = .5
    iterations: int = 600
    batch_size: int = 2
    learning_rate: float = 2e-3
    averaging: float = .98


@dataclass(frozen=True, kw_only=True)
class SpatialRecipe(TrainingRecipe):
    """One training run of a spatial policy of pick and place.

    Attributes:
        policy: The networks.
        task: What is learned.
        demos: Episodes that were shown.
        aside: Crops are centred within so much of the shown pick, along each axis [m].
        kept: Least part of the points that is kept.
        shading: Most that light from elsewhere darkens a face by; the shading that was seen is
            flattened, or inverted, to so much of itself. 0 leaves the light as it was.
        brightness: Logarithm by which all colours are scaled at most.
        tint: Logarithm by which each colour channel is scaled at most beyond that.
        coarse: Rotations that all places are compared at, the shown one and even ones.
        turns: Rotations that places near the shown one are compared at, half of them even ones.
        fine: Poses around the shown one that it is compared with.
    """

    policy: SpatialConfig = field(default_factory=SpatialConfig)
    task: str = ''
    demos: int = 10
    aside: float = .012
    kept: float = .5
    shading: float = .5
    brightness: float = .2
    tint: float = .1
    coarse: int = 4
    turns: int = 64
    fine: int = 128
    iterations: int = 800
    batch_size: int = 2
    learning_rate: float = 4e-3
    averaging: float = .98
