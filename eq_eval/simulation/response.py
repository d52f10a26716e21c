"""From ideal hits to measured points: lost pulses, noise, intensity, rain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_eval.simulation.materials import JITTER_OF
from eq_eval.simulation.materials import LOSS_OF
from eq_eval.simulation.materials import MATERIAL_ID
from eq_eval.simulation.materials import REFLECTIVITY_OF
from eq_eval.simulation.raycast import Returns
from eq_eval.simulation.sensors import Sensor

Floats = NDArray[np.float32]
ROUGH = .35   # share of the power that a surface returns at grazing incidence
GLOSS = .97   # cosine above which paint mirrors the pulse back


@dataclass(frozen=True)
class Response:
    """How one unit of a sensor answers, drawn anew for every sequence.

    Attributes:
        gain: Factor from reflectivity to intensity.
        spread: Share of the intensity that does not depend on the angle of incidence.
        fade: What the intensity loses per 100 m.
        floor: What is taken off every intensity before it is cut at zero.
        spurious: Share of rays that return from rain or dust.
    """

    gain: float
    spread: float
    fade: float
    floor: float
    spurious: float

    @classmethod
    def draw(cls, rng: np.random.Generator, spurious: float) -> Response:
        """Any plausible unit."""
        fades = rng.random() < .6
        return cls(float(rng.uniform(.7, 1.4)), float(rng.uniform(.5, .95)),
                   float(rng.uniform(.1, .4)) * fades, float(rng.uniform(0, .08)) * fades,
                   spurious * float(rng.random()) ** 2)


@dataclass(frozen=True, eq=False)
class Measured:
    """Which hits were measured, and what was.

    Attributes:
        kept: (K,) int64 rows of the hits.
        distance: (K,) float32 [m].
        intensity: (K,) float32 in [0, 1], in steps of 1/255.
        spurious: (K,) bool, returned by rain or dust instead.
    """

    kept: NDArray[np.int64]
    distance: Floats
    intensity: Floats
    spurious: NDArray[np.bool_]


def measure(response: Response, sensor: Sensor, found: Returns, rng: np.random.Generator,
            ) -> Measured:
    """Measures hits.

    The chance of a return falls with range as the power of an extended target does,
    ``reflectivity * cos / range**2`` (radar equation), where rough surfaces keep `ROUGH` of their
    power at grazing incidence; `Sensor.reach` calibrates it.
    """
    count = len(found.ray)
    reflectivity = np.minimum(REFLECTIVITY_OF[found.material] * found.brightness, 1.)
    power = reflectivity * (ROUGH + (1 - ROUGH) * found.cosine)
    reach = sensor.reach * np.sqrt(power / .1)
    fourth = np.square(np.square(found.distance / reach))
    chance = (1 - LOSS_OF[found.material]) * (1 - sensor.drop_rate) / (1 + fourth * fourth)
    jitter = np.hypot(JITTER_OF[found.material], np.float32(sensor.range_noise))
    distance = found.distance + jitter * rng.standard_normal(count, np.float32)
    early = rng.random(count, np.float32) < response.spurious
    distance = np.where(early, distance * rng.random(count, np.float32) ** 2, distance)
    kept = np.flatnonzero((rng.random(count, np.float32) < chance)
                          & (distance > sensor.min_range) & (distance < sensor.max_range))
    intensity = _intensity(response, found, reflectivity, rng)[kept]
    return Measured(kept, distance[kept].astype(np.float32), intensity, early[kept])


def _intensity(response: Response, found: Returns, reflectivity: Floats,
               rng: np.random.Generator) -> Floats:
    """(N,) intensity in [0, 1]."""
    texture = np.exp(.22 * rng.standard_normal(len(found.ray), np.float32))
    value = response.gain * reflectivity * texture * (
        response.spread + (1 - response.spread) * found.cosine)
    glossy = (found.material == MATERIAL_ID['paint']) & (found.cosine > GLOSS)
    value = value + .4 * glossy * (found.cosine - GLOSS) / (1 - GLOSS)
    value = value - response.floor - response.fade * found.distance / 100
    return np.asarray(np.round(np.clip(value, 0, 1) * 255) / 255, np.float32)
