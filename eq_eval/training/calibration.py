"""Calibrated scores and covariances as part of a detector's weights.

A score becomes ``sigmoid(a_c z + b_c)`` of the heatmap's logit z, with a_c > 0 per class (Platt,
Probabilistic Outputs for Support Vector Machines, 1999; Guo et al., On Calibration of Modern
Neural Networks, ICML 2017, section 4), and the covariance of a centre is multiplied by
``exp(u) width^s``. Each of those heads is one linear map to invariant numbers, and so is this
change: it costs nothing at run time, every engine and precision has it, and the law of the network
holds as before. Peaks of a class keep their places and their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import torch

from eq_core.errors import ConfigError
from eq_core.runtime.bundle import Bundle
from eq_eval.training.initial import take_weights
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.model import BevDetector

RECORD = 'calibration'      # where a manifest's `training` tells of it
WIDTH = 1                   # channel of `log_size` beside the length's and the height's


@dataclass(frozen=True)
class Calibration:
    """How scores and covariances of a detector are changed.

    Attributes:
        scale: a of each class, positive.
        shift: b of each class.
        log_factor: u.
        width_exponent: s.
    """

    scale: tuple[float, ...]
    shift: tuple[float, ...]
    log_factor: float = 0.
    width_exponent: float = 0.

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ConfigError: Scores would change their order, or numbers do not fit together.
        """
        if len(self.scale) != len(self.shift):
            raise ConfigError(f'expected a scale and a shift per class, got {len(self.scale)} '
                              f'and {len(self.shift)}')
        if not all(scale > 0 for scale in self.scale):
            raise ConfigError(f'the scale of a class must be positive, got {list(self.scale)}')

    @classmethod
    def identity(cls, classes: int) -> Calibration:
        """The one that changes nothing."""
        return cls((1.,) * classes, (0.,) * classes)

    def after(self, first: Calibration) -> Calibration:
        """The change that `first` and then this one make together."""
        return Calibration(
            tuple(own * other for own, other in zip(self.scale, first.scale, strict=True)),
            tuple(own * other + shift for own, other, shift in
                  zip(self.scale, first.shift, self.shift, strict=True)),
            self.log_factor + first.log_factor, self.width_exponent + first.width_exponent)

    def inverse(self) -> Calibration:
        """The change that takes this one back."""
        return Calibration(
            tuple(1 / scale for scale in self.scale),
            tuple(-shift / scale for scale, shift in zip(self.scale, self.shift, strict=True)),
            -self.log_factor, -self.width_exponent)

    def to_dict(self, class_names: tuple[str, ...]) -> dict[str, Any]:
        """Plain values for a manifest."""
        return {'scale': dict(zip(class_names, self.scale, strict=True)),
                'shift': dict(zip(class_names, self.shift, strict=True)),
                'log_factor': self.log_factor, 'width_exponent': self.width_exponent}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], class_names: tuple[str, ...]) -> Calibration:
        """Reads what `to_dict` wrote, whatever else is told beside it.

        Raises:
            ConfigError: Something is missing.
        """
        try:
            return cls(tuple(float(values['scale'][name]) for name in class_names),
                       tuple(float(values['shift'][name]) for name in class_names),
                       float(values['log_factor']), float(values['width_exponent']))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f'expected the calibration of {list(class_names)}, found '
                              f'{dict(values)}') from error


@torch.no_grad()
def fold(model: BevDetector, calibration: Calibration) -> None:
    """Writes a calibration into the weights of a detector.

    Law: group G; the heads stay linear maps from regular to invariant fields.

    Args:
        model: The network, of any precision.
        calibration: Of as many classes.
    """
    heatmap, variance, size = (model.heads[name] for name in (
        'heatmap', 'log_variance', 'log_size'))
    scale, shift = (torch.tensor(values, dtype=torch.float64).to(heatmap.bias)
                    for values in (calibration.scale, calibration.shift))
    heatmap.coefficients.mul_(scale[:, None, None])
    heatmap.bias.mul_(scale).add_(shift)
    # The logarithm of the width is itself a channel, linear in the same features.
    exponent = calibration.width_exponent
    variance.coefficients.add_(size.coefficients[WIDTH:WIDTH + 1], alpha=exponent)
    variance.bias.add_(size.bias[WIDTH:WIDTH + 1], alpha=exponent).add_(calibration.log_factor)


def calibration_in(bundle: Bundle) -> Calibration:
    """What was folded into the weights of a detector's bundle."""
    names = DetectorConfig.from_dict(bundle.manifest.config).class_names
    record = bundle.manifest.training.get(RECORD)
    return Calibration.identity(len(names)) if record is None else Calibration.from_dict(
        record, names)


def uncalibrated_config(bundle: Bundle) -> DetectorConfig:
    """Configuration of a detector's bundle with the threshold that it had before calibration."""
    config = DetectorConfig.from_dict(bundle.manifest.config)
    record = bundle.manifest.training.get(RECORD, {})
    return replace(config, score_threshold=record.get('raw_score_threshold',
                                                      config.score_threshold))


def take_trained(model: BevDetector, bundle: Bundle) -> None:
    """Fills a detector with the weights of a bundle as training left them.

    The loss of the heatmap wants the timid scores, so a training that starts from a calibrated
    bundle would spend its first steps on unlearning the calibration.

    Raises:
        ConfigError: The weights are of another network.
    """
    take_weights(model, bundle)
    if RECORD in bundle.manifest.training:
        fold(model, calibration_in(bundle).inverse())
