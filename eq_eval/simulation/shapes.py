"""The pools of object shapes; those of train, validation and test have nothing in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
import zlib

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_eval.simulation import people
from eq_eval.simulation import vehicles
from eq_eval.simulation.materials import CLASS_NAMES
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.mesh import place

SPLITS = ('train', 'validation', 'test')
CELLS = 24  # the first three latents fall into cells of 1 / CELLS; each cell belongs to one split
POOL_SIZE = {'train': {'car': 72, 'truck': 40, 'pedestrian': 48, 'cyclist': 36},
             'validation': {'car': 24, 'truck': 14, 'pedestrian': 16, 'cyclist': 12},
             'test': {'car': 24, 'truck': 14, 'pedestrian': 16, 'cyclist': 12}}

_COMMON: dict[str, tuple[str, ...]] = {
    'car': ('sedan', 'hatchback', 'suv', 'van', 'hatchback', 'sedan', 'minivan', 'suv'),
    'truck': ('box', 'semi', 'flatbed', 'bus', 'delivery', 'box'),
    'pedestrian': ('plain', 'coat', 'backpack', 'bag', 'child', 'phone', 'stout', 'plain'),
    'cyclist': ('city', 'racer', 'mountain', 'backpack', 'city'),
}
_OWN: dict[str, dict[str, tuple[str, ...]]] = {  # families that only this split has
    'train': {'car': ('pickup', 'coupe'), 'truck': ('dump', 'coach'), 'pedestrian': ('umbrella',),
              'cyclist': ('cargo', 'child seat')},
    'validation': {'car': ('microcar',), 'truck': ('refuse',), 'pedestrian': ('hood',),
                   'cyclist': ('delivery',)},
    'test': {'car': ('wagon',), 'truck': ('tanker',), 'pedestrian': ('suitcase',),
             'cyclist': ('basket',)},
}
INDUSTRIAL = ('forklift', 'tow tractor')


@dataclass(frozen=True, eq=False)
class Shape:
    """One object shape, centred over the origin and standing on z = 0.

    Attributes:
        name: Unique name, ``split/class/family/number``.
        class_name: One of `materials.CLASS_NAMES`.
        family: Kind within the class.
        latent: (12,) parameters in [0, 1).
        phases: Meshes over one cycle of motion; the first is the one at rest.
        size: (3,) length, width, height of the box that holds every phase [m].
        cycle: Distance covered in one cycle [m]; 0 where the shape does not move in itself.
    """

    name: str
    class_name: str
    family: str
    latent: NDArray[np.float64]
    phases: tuple[Mesh, ...]
    size: NDArray[np.float64]
    cycle: float = 0.

    def phase(self, distance: float) -> Mesh:
        """The mesh after `distance` [m]."""
        if not self.cycle:
            return self.phases[0]
        count = len(self.phases) - 1
        return self.phases[1 + int(distance / self.cycle * count) % count]


def split_of_cell(cell: int) -> str:
    """Which split a parameter cell belongs to: one of six to test, one to validation."""
    return {2: 'validation', 5: 'test'}.get(cell % 6, 'train')


def latent_for(split: str, class_name: str, number: int) -> NDArray[np.float64]:
    """Parameters of a shape; the first three lie in cells that only `split` uses."""
    seed = [zlib.crc32(f'{split}/{class_name}'.encode()), number]
    rng = np.random.default_rng(seed)
    latent = rng.random(12)
    own = [cell for cell in range(CELLS) if split_of_cell(cell) == split]
    latent[:3] = (rng.choice(own, 3) + latent[:3]) / CELLS
    return latent


@cache
def shape(split: str, class_name: str, number: int, industrial: bool = False) -> Shape:
    """Shape `number` of a pool.

    Args:
        split: 'train', 'validation' or 'test'.
        class_name: One of `materials.CLASS_NAMES`.
        number: Position in the pool; numbers past its size wrap around.
        industrial: Whether to take from the trucks of indoor halls instead.

    Raises:
        ConfigError: Unknown split or class.
    """
    if split not in SPLITS or class_name not in CLASS_NAMES:
        raise ConfigError(f'expected a split of {SPLITS} and a class of {CLASS_NAMES}, '
                          f'got {split!r} and {class_name!r}')
    number %= POOL_SIZE[split][class_name]
    families: tuple[str, ...] = _COMMON[class_name] + _OWN[split][class_name]
    families = INDUSTRIAL if industrial else families
    family = families[number % len(families)]
    latent = latent_for(split, class_name, number)
    meshes = _BUILDERS[class_name](family, latent)
    return _centred(f'{split}/{class_name}/{family}/{number}', class_name, family, latent, meshes)


def _walker(family: str, latent: NDArray[np.float64]) -> list[Mesh]:
    still = people.pedestrian(family, latent, 2, walking=False)
    return [still, *(people.pedestrian(family, latent, p) for p in range(people.PHASES))]


def _rider(family: str, latent: NDArray[np.float64]) -> list[Mesh]:
    pedalling = [people.cyclist(family, latent, p) for p in range(people.PHASES)]
    return [pedalling[0], *pedalling]


_BUILDERS: dict[str, Callable[[str, NDArray[np.float64]], list[Mesh]]] = {
    'car': lambda family, latent: [vehicles.car(family, latent)],
    'truck': lambda family, latent: [vehicles.truck(family, latent)],
    'pedestrian': _walker, 'cyclist': _rider,
}


def _centred(name: str, class_name: str, family: str, latent: NDArray[np.float64],
             meshes: list[Mesh]) -> Shape:
    """Shifts all phases alike, so that the box around them stands centred over the origin."""
    bounds = np.stack([m.bounds() for m in meshes])
    low, high = bounds[:, 0].min(0), bounds[:, 1].max(0)
    shift = np.array([-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]], np.float32)
    phases = tuple(Mesh(place(m.vertices, shift, 0.), m.triangles, m.material) for m in meshes)
    cycle = {'pedestrian': 1.4, 'cyclist': 5.}.get(class_name, 0.)
    return Shape(name, class_name, family, latent, phases, (high - low).astype(float), cycle)


def random_shape(rng: np.random.Generator, split: str, class_name: str,
                 industrial: bool = False) -> Shape:
    """Any shape of a pool."""
    return shape(split, class_name, int(rng.integers(POOL_SIZE[split][class_name])), industrial)
