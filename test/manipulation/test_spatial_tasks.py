"""The spatial tasks and their voxels: what the oracle earns, what is seen, what is learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.heightmap import Workspace
from eq_core.geometry.voxels import voxelize_views
from eq_core.geometry.voxels import voxels_of_points
from eq_core.groups.grid import turn_cube
from eq_core.groups.rotation_sets import cube_group
from eq_eval.manipulation.spatial.demonstrations import load_spatial
from eq_eval.manipulation.spatial.demonstrations import save_spatial
from eq_eval.manipulation.spatial.demonstrations import show_demonstrations
from eq_eval.manipulation.spatial.tasks import SpatialTask
from eq_eval.manipulation.spatial.tasks import TASKS
from eq_eval.training.recipe import SpatialRecipe
from eq_eval.training.relighting import body_normals
from eq_eval.training.relighting import relit
from eq_eval.training.spatial import train_spatial
from eq_eval.training.spatial_samples import moved
from eq_eval.training.spatial_samples import SpatialStream
from eq_manipulation.spatial.config import SpatialConfig

SMALL = SpatialConfig(fields=((3, 1, 1), (4, 2, 1), (4, 2, 1)), features=(2, 1, 0),
                      crop=16)


@pytest.mark.parametrize('name', TASKS)
def test_episodes_are_repeated_by_their_seed_and_solved_by_the_oracle(name: str) -> None:
    task, looks = SpatialTask(name), []
    for seed in (0, 2, 0):
        task.reset(seed)
        looks.append(task.look())
        assert task.show() is not None
        assert task.step(*task.show()) == (1., True)
        assert max(task.error()) < 1e-5
        assert task.show() is None
    np.testing.assert_array_equal(looks[0].occupancy, looks[2].occupancy)
    assert not np.array_equal(looks[0].occupancy, looks[1].occupancy)
    with pytest.raises(ConfigError, match='mug-on-rack'):
        SpatialTask('no-such-task')
    with pytest.raises(ConfigError, match='upright'):
        SpatialTask(name, 'sideways')


def test_a_pick_beside_the_object_moves_nothing() -> None:
    task = SpatialTask('mug-on-rack')
    task.reset(1)
    pick, place = task.show()
    before = task.object.pose
    aside = pick.copy()
    aside[:3, 3] += .03
    assert task.step(aside, place)[0] == 0
    np.testing.assert_array_equal(task.object.pose, before)


def test_pegs_and_plates_may_turn_about_their_axis_and_a_mug_may_not() -> None:
    twist = np.eye(4)
    twist[:3, :3] = Rotation.from_euler('z', 40, degrees=True).as_matrix()
    errors = {}
    for name in TASKS:
        task = SpatialTask(name)
        task.reset(3)
        pick, _ = task.show()
        goal = task.target.pose @ task.kind.goals[0] @ twist
        task.step(pick, goal @ np.linalg.inv(task.object.pose) @ pick)
        errors[name] = task.error()
    assert max(errors['peg-in-tilted-hole'][1], errors['plate-in-rack'][1]) < 1e-5
    assert errors['mug-on-rack'][1] == pytest.approx(40)


def test_upright_scenes_are_turned_about_the_vertical_alone() -> None:
    for tilt, expected in (('upright', True), ('any', False)):
        task = SpatialTask('peg-in-tilted-hole', tilt)
        task.reset(5)
        assert np.allclose(task.object.pose[2, :3], [0, 0, 1]) is expected


def test_voxels_turn_with_the_points() -> None:
    rng = np.random.default_rng(0)
    space = Workspace((-.1,) * 3, (.1,) * 3, .02)
    xyz, color = rng.uniform(-.1, .1, (500, 3)), rng.random((500, 3))
    upright = voxels_of_points(xyz, color, space)
    assert 0 < upright.occupancy.max() < 1
    for rotation in cube_group():
        found = voxels_of_points(xyz @ rotation.T, color, space)
        np.testing.assert_allclose(found.occupancy, turn_cube(upright.occupancy, rotation),
                                   atol=1e-5)
        np.testing.assert_allclose(found.color[..., 0], turn_cube(upright.color[..., 0], rotation),
                                   atol=1e-5)


def test_voxels_tell_where_a_point_lies_between_them() -> None:
    space = Workspace((0., 0., 0.), (.1, .1, .1), .02)
    found = voxels_of_points(np.array([[.034, .05, .05]]), np.ones((1, 3)), space)
    share = -np.log1p(-found.occupancy[2, 2])
    assert share[1] / share[2] == pytest.approx(.8 / .2, rel=1e-3)
    with pytest.raises(InputError, match='one frame'):
        voxelize_views([], space)


def test_demonstrations_read_back_and_stay_true_when_they_are_moved(tmp_path: Path) -> None:
    shown = show_demonstrations(SpatialTask('mug-on-rack'), 2)
    save_spatial(tmp_path / 'shown.npz', shown)
    again = load_spatial(tmp_path / 'shown.npz')
    assert [each.episode for each in again] == [0, 2]
    np.testing.assert_array_equal(again[1].xyz, shown[1].xyz)
    assert len(load_spatial(tmp_path / 'shown.npz', 1)) == 1
    normals = body_normals(again[0].xyz, again[0].carried)
    turned = moved(again[0], normals, SpatialRecipe(kept=1.), np.random.default_rng(0))
    for name, part in (('pick', again[0].carried), ('place', ~again[0].carried)):
        found, expected = ((each.xyz[part] - getattr(each, name)[:3, 3])
                           @ getattr(each, name)[:3, :3] for each in (turned, again[0]))
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert again[0].workspace.contains(turned.xyz).mean() > .9


def test_what_was_carried_is_the_object() -> None:
    task = SpatialTask('mug-on-rack')
    for shown in show_demonstrations(task, 3):
        red = shown.color[:, 0] > 2 * shown.color[:, 1]
        assert (shown.carried == red).mean() > .97


def test_batches_are_repeated_by_their_number_and_losses_fall(tmp_path: Path) -> None:
    recipe = SpatialRecipe(policy=SMALL, iterations=40, coarse=3, turns=8, fine=40, batch_size=1)
    shown = show_demonstrations(SpatialTask('peg-in-tilted-hole'), 2)
    stream = SpatialStream(shown, recipe)
    first, again = (next(stream.batches(3, 4)) for _ in range(2))
    np.testing.assert_array_equal(first.picture, again.picture)
    np.testing.assert_allclose(first.coarse[0, 0], first.fine[0, 0], atol=1e-6)
    rows = []
    train_spatial(recipe, shown, tmp_path, lambda step, row: rows.append(row))
    assert rows[-1]['pick'] < rows[0]['pick']
    assert rows[-1]['place'] < rows[0]['place']


def test_normals_of_a_body_are_square_to_its_surface() -> None:
    rng = np.random.default_rng(0)
    ball = rng.normal(size=(2000, 3))
    ball /= np.linalg.norm(ball, axis=-1, keepdims=True)
    level = np.column_stack([rng.uniform(-1, 1, (500, 2)), np.full(500, .9)])
    normals = body_normals(np.concatenate([ball, level]), np.arange(2500) < 2000)
    assert np.abs((normals[:2000] * ball).sum(-1)).min() > .95
    np.testing.assert_allclose(np.abs(normals[2000:]), [[0, 0, 1]] * 500, atol=1e-6)
    assert len(body_normals(ball[:2], np.zeros(2, bool))) == 2


def test_light_from_elsewhere_turns_what_was_bright_dark_and_keeps_the_hue() -> None:
    normals = np.repeat(np.eye(3), 50, 0)
    shade = np.repeat([1., .7, .5], 50)
    color = (shade[:, None] * [.8, .4, .2]).astype(np.float32)
    rng = np.random.default_rng(2)
    brightest = set()
    for _ in range(50):
        found = relit(color, normals, .5, rng)
        np.testing.assert_allclose(found / found[:, :1], color / color[:, :1], rtol=1e-5)
        assert found.mean() == pytest.approx(color.mean(), rel=1e-5)
        brightest.add(int(found[[0, 50, 100], 0].argmax()))
    assert brightest == {0, 1, 2}
    np.testing.assert_array_equal(relit(color, normals, 0., rng), color)
