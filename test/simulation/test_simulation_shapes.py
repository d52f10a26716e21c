"""Shape pools: sizes of real things, nothing shared between the splits."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest

from eq_core.errors import ConfigError
from eq_eval.simulation.materials import MATERIALS
from eq_eval.simulation.scenery import thing
from eq_eval.simulation.scenery import THINGS
from eq_eval.simulation.shapes import CELLS
from eq_eval.simulation.shapes import POOL_SIZE
from eq_eval.simulation.shapes import Shape
from eq_eval.simulation.shapes import shape
from eq_eval.simulation.shapes import split_of_cell
from eq_eval.simulation.shapes import SPLITS

# lowest and highest length, width, height over all families [m]
LIMITS = {'car': ((2.6, 1.5, 1.25), (5.7, 2.1, 2.1)),
          'truck': ((5.5, 1.9, 2.3), (16.6, 2.7, 4.1)),
          'pedestrian': ((.2, .3, .95), (1.6, 1.2, 2.25)),
          'cyclist': ((1.5, .45, 1.4), (2.6, .8, 2.0))}


def pool(split: str, class_name: str) -> list[Shape]:
    return [shape(split, class_name, number) for number in range(POOL_SIZE[split][class_name])]


def fingerprint(item: Shape) -> str:
    return hashlib.sha256(item.phases[0].vertices.tobytes()).hexdigest()


@pytest.mark.parametrize('class_name', LIMITS)
def test_splits_share_no_name_no_parameters_no_geometry(class_name):
    for a, b in itertools.combinations(SPLITS, 2):
        one, other = pool(a, class_name), pool(b, class_name)
        assert not {s.name for s in one} & {s.name for s in other}
        assert not {fingerprint(s) for s in one} & {fingerprint(s) for s in other}
        for axis in range(3):
            cells = [{int(s.latent[axis] * CELLS) for s in side} for side in (one, other)]
            assert not cells[0] & cells[1]


@pytest.mark.parametrize('class_name', LIMITS)
def test_every_split_has_a_family_of_its_own(class_name):
    families = {split: {s.family for s in pool(split, class_name)} for split in SPLITS}
    for split in SPLITS:
        rest = set().union(*(families[other] for other in SPLITS if other != split))
        assert families[split] - rest
        assert len(families[split]) >= 4


def test_cells_are_shared_out_among_all_splits():
    owners = [split_of_cell(cell) for cell in range(CELLS)]
    assert {split: owners.count(split) for split in SPLITS} == {
        'train': 16, 'validation': 4, 'test': 4}


@pytest.mark.parametrize('class_name', LIMITS)
@pytest.mark.parametrize('split', SPLITS)
def test_shapes_have_the_size_of_real_things(split, class_name):
    low, high = LIMITS[class_name]
    for item in pool(split, class_name):
        assert (item.size >= low).all() and (item.size <= high).all(), (item.name, item.size)


@pytest.mark.parametrize('class_name', LIMITS)
def test_phases_fill_one_centred_box(class_name):
    for item in pool('test', class_name):
        bounds = np.stack([mesh.bounds() for mesh in item.phases])
        low, high = bounds[:, 0].min(0), bounds[:, 1].max(0)
        np.testing.assert_allclose(low, [-item.size[0] / 2, -item.size[1] / 2, 0], atol=1e-5)
        np.testing.assert_allclose(high, [item.size[0] / 2, item.size[1] / 2, item.size[2]],
                                   atol=1e-5)


def test_walkers_move_their_legs_and_cars_do_not():
    walker, car = shape('train', 'pedestrian', 0), shape('train', 'car', 0)
    assert walker.phase(0.) is not walker.phase(walker.cycle / 2)
    assert walker.phase(.1) is walker.phase(.1 + walker.cycle)
    assert car.phase(0.) is car.phase(3.)


@pytest.mark.parametrize('industrial', ['forklift', 'tow tractor'])
def test_halls_have_trucks_of_their_own(industrial):
    families = {shape('train', 'truck', n, industrial=True).family for n in range(4)}
    assert industrial in families


@pytest.mark.parametrize('kind', THINGS)
def test_scenery_is_sound_and_differs_between_splits(kind):
    meshes = [thing(split, kind, 1) for split in SPLITS]
    assert len({mesh.vertices.tobytes() for mesh in meshes}) == len(SPLITS)
    for mesh in meshes:
        assert np.isfinite(mesh.vertices).all()
        assert mesh.triangles.max() < len(mesh.vertices)
        assert mesh.material.max() < len(MATERIALS)
        assert mesh.bounds()[1, 2] > .1


def test_unknown_pools_are_refused():
    with pytest.raises(ConfigError, match='holdout'):
        shape('holdout', 'car', 0)
    with pytest.raises(ConfigError, match='tram'):
        shape('train', 'tram', 0)
