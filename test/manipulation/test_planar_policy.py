"""A planar policy turns with the table, the object and the target, and learns from one example."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_session import Network

from eq_core.errors import BundleError
from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.heightmap import HeightMap
from eq_core.groups.so2_fourier import circle_angles
from eq_core.groups.so2_fourier import circular_harmonics
from eq_core.testing import assert_equivariant
from eq_eval.cli.verify import verify_parts
from eq_eval.manipulation.demonstrations import Demonstration
from eq_eval.manipulation.laws import between_errors
from eq_eval.manipulation.laws import law_errors
from eq_eval.manipulation.learning import golden_example
from eq_eval.training.export import export_policy
from eq_eval.training.policy import train_policy
from eq_eval.training.recipe import PolicyRecipe
from eq_manipulation.planar import correlation
from eq_manipulation.planar import losses
from eq_manipulation.planar.config import PlanarConfig
from eq_manipulation.planar.model import plain_twin
from eq_manipulation.planar.model import PlanarNetworks
from eq_manipulation.planar.policy import PlanarPolicy
from eq_manipulation.planar.postprocess import peaks
from eq_manipulation.planar.preprocess import scene_picture
from eq_manipulation.two_networks import PARTS
from eq_manipulation.two_networks import softmax

SMALL = PlanarConfig(rows=64, columns=64, resolution=.00625, depth=.3, fields=(6, 12, 12, 12),
                     crop=32, rotations=36, frequencies=8)
LOWER = (.3, -.2, 0.)


def pose(x: float, y: float, yaw: float) -> np.ndarray:
    """Pose of a tool at x, y [m]."""
    found = np.eye(4)
    found[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    found[:2, 3] = x, y
    return found


def show(seed: int, config: PlanarConfig = SMALL) -> Demonstration:
    """A red L lies somewhere and belongs onto a dark one."""
    rng = np.random.default_rng(seed)
    space = config.workspace(LOWER)
    y, x = np.mgrid[:config.rows, :config.columns] + .5
    height = np.zeros((config.rows, config.columns), np.float32)
    color = np.full((*height.shape, 3), .6, np.float32)
    places = [rng.uniform([14, low], [50, low + 16]) for low in (12, 38)]
    yaws = rng.uniform(0, 2 * np.pi, 2)
    for at, yaw, paint, top in zip(places, yaws, ((1, .2, .1), (.2, .2, .2)), (.03, .01),
                                   strict=True):
        along = np.cos(yaw) * (x - at[0]) + np.sin(yaw) * (y - at[1])
        across = np.cos(yaw) * (y - at[1]) - np.sin(yaw) * (x - at[0])
        shape = ((np.abs(along) < 8) & (np.abs(across - 4) < 3)) | (
            (np.abs(along - 5) < 3) & (np.abs(across) < 7))
        height[shape], color[shape] = top, paint
    at = [space.place(np.array([*each - .5, 0.])) for each in places]
    return Demonstration(HeightMap(height, color, np.ones_like(height, bool), space),
                         pose(*at[0][:2], 0), pose(*at[1][:2], yaws[1] - yaws[0]), seed)


def policy_of(networks: PlanarNetworks) -> PlanarPolicy:
    """A policy that runs in torch."""
    return PlanarPolicy(networks.config, Network(networks.scene), Network(networks.crop))


@pytest.fixture(scope='module')
def learned(tmp_path_factory: pytest.TempPathFactory) -> PlanarNetworks:
    """What a minute of training makes of one demonstration."""
    recipe = PolicyRecipe(policy=SMALL, iterations=150, batch_size=4, shift=.05,
                          learning_rate=4e-3)
    return train_policy(recipe, [show(0)], tmp_path_factory.mktemp('policy')).exported()


@pytest.fixture(scope='module')
def bundle(learned: PlanarNetworks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as two bundles."""
    folder = tmp_path_factory.mktemp('bundles') / 'policy'
    export_policy(learned, folder, *golden_example([show(0)], SMALL), 'policy', {'seed': 0}, '')
    return folder


def motion_error(policy: PlanarPolicy, seed: int) -> tuple[float, float]:
    """How far the object would end from its place [m, degrees]."""
    shown = show(seed)
    answer = policy.plan(shown.heightmap)
    off = answer.place[0] @ np.linalg.inv(answer.pick[0]) @ shown.pick
    turn = off[:2, :2] @ shown.place[:2, :2].T
    return (float(np.hypot(*(off - shown.place)[:2, 3])),
            float(np.degrees(np.abs(np.arctan2(turn[1, 0], turn[0, 0])))))


def test_one_demonstration_is_enough_for_unseen_places(learned: PlanarNetworks) -> None:
    error = np.array([motion_error(policy_of(learned), seed) for seed in range(1, 41, 2)])
    assert ((error[:, 0] < .01) & (error[:, 1] < 15)).mean() >= .9


def test_exported_policy_is_whole_and_keeps_its_laws(bundle: Path) -> None:
    result = verify_parts(bundle, [bundle / part for part in PARTS], 'onnxruntime', 1)
    assert result['ok'], result['problems']
    assert result['pick_error'] <= 1e-4
    assert result['place_error'] <= 1e-4


def test_exported_policy_decides_as_the_trained_one(bundle: Path, learned: PlanarNetworks) -> None:
    exported, table = PlanarPolicy.from_bundle(bundle), show(5).heightmap
    found, expected = exported.plan(table), policy_of(learned).plan(table)
    np.testing.assert_allclose(found.place[0], expected.place[0], atol=1e-3)
    np.testing.assert_allclose(found.pick_heat, expected.pick_heat, atol=1e-3)
    exported.close()


def test_training_goes_on_from_the_weights_of_a_policy(
        bundle: Path, learned: PlanarNetworks, tmp_path: Path) -> None:
    recipe = PolicyRecipe(policy=SMALL, iterations=1, batch_size=2, learning_rate=1e-9)
    run = train_policy(recipe, [show(2)], tmp_path / 'more', initial=bundle)
    for name, weight in learned.named_parameters():
        torch.testing.assert_close(run.model.get_parameter(name), weight, atol=1e-6, rtol=0)
    other = replace(recipe, policy=replace(SMALL, features=SMALL.features + 1))
    with pytest.raises(ConfigError, match='weights of another network'):
        train_policy(other, [show(2)], tmp_path / 'other', initial=bundle)


@pytest.mark.parametrize(('dtype', 'limit'), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
def test_networks_keep_the_laws_with_any_weights(dtype: torch.dtype, limit: float) -> None:
    torch.manual_seed(0)
    networks = PlanarNetworks(SMALL).to(dtype)
    rng = np.random.default_rng(0)
    picture, crop = (rng.standard_normal((5, edge, edge)).astype(str(dtype)[6:])
                     for edge in (SMALL.size, SMALL.crop))
    assert max(law_errors(policy_of(networks), picture, crop)) < limit


def test_network_is_equivariant_field_by_field() -> None:
    torch.manual_seed(0)
    networks = PlanarNetworks(SMALL)
    unet = networks.scene.unet
    unet.in_type, unet.out_type = unet.lift.in_type, unet.lift.out_type
    assert_equivariant(unet, 32)


def test_decisions_follow_turns_between_those_of_the_group(learned: PlanarNetworks) -> None:
    shown = show(7)
    found = between_errors(policy_of(learned), shown.heightmap, (15., 30., 45., 200.))
    assert found['degrees'] <= 10
    assert found['cells'] <= 1.5


def test_plain_twin_is_not_bound_to_the_law() -> None:
    torch.manual_seed(0)
    config = plain_twin(replace(SMALL, frequencies=0))
    shown = show(0)
    policy = policy_of(PlanarNetworks(config))
    answer = policy.plan(shown.heightmap)
    assert answer.place.shape[1:] == (4, 4)
    picture, crop = golden_example([shown], config)
    assert law_errors(policy, picture, crop)[0] > .01


def test_correlation_of_torch_and_numpy_agree_with_the_sum() -> None:
    rng = np.random.default_rng(0)
    phi = rng.standard_normal((3, 12, 14)).astype(np.float32)
    kernel = rng.standard_normal((2, 3, 4, 4)).astype(np.float32)
    padded = np.pad(phi, ((0, 0), (2, 2), (2, 2)))
    direct = np.array([[[(padded[:, row:row + 4, column:column + 4] * each).sum()
                         for column in range(15)] for row in range(13)] for each in kernel])
    np.testing.assert_allclose(correlation.correlate(phi, kernel), direct, atol=1e-4)
    np.testing.assert_allclose(losses.correlate(
        torch.from_numpy(phi), torch.from_numpy(kernel)).numpy(), direct, atol=1e-4)


def test_fourier_domain_loses_nothing_below_its_highest_frequency() -> None:
    rng = np.random.default_rng(0)
    angle = circle_angles(36)
    basis = circular_harmonics(angle, 17)
    np.testing.assert_allclose(basis.T @ basis / 36, np.eye(35), atol=1e-12)
    psi = rng.standard_normal((2, 16, 16)).astype(np.float32)
    lifted = correlation.lift(psi, 36).reshape(36, -1)
    kernels = correlation.fiber_kernels(psi, 36, 17).reshape(35, -1)
    missing = lifted - basis @ kernels      # frequency 18 alone is left
    np.testing.assert_allclose(basis.T @ missing, 0, atol=1e-4)


def test_gradient_of_lifting_is_that_of_its_sum() -> None:
    torch.manual_seed(0)
    square = torch.randn(2, 8, 8, requires_grad=True)
    weight = torch.randn(12, 2, 8, 8)
    (losses.lift(square, 12) * weight).sum().backward()
    matrix = correlation.lifting_matrix(8, 12)
    flat = weight.permute(0, 2, 3, 1).reshape(-1, 2).numpy()
    np.testing.assert_allclose(square.grad.reshape(2, -1).T.numpy(), matrix.T @ flat, atol=1e-5)


def test_peaks_are_apart_and_their_scores_are_shares() -> None:
    score = np.full((4, 20, 20), -10., np.float32)
    score[1, 5, 5], score[1, 5, 6], score[3, 15, 12] = 5, 4, 4.5
    found = peaks(softmax(score), 3, 5)
    assert (round(found[0].row), round(found[1].row)) == (5, 15)
    assert found[0].angle == pytest.approx(np.pi / 2, abs=.1)
    assert sum(each.score for each in found) <= 1 + 1e-6
    assert found[0].score > found[1].score


def test_tables_of_another_size_are_refused() -> None:
    other = show(0, replace(SMALL, rows=96))
    with pytest.raises(InputError, match='64 x 64'):
        scene_picture(other.heightmap, SMALL)


@pytest.mark.parametrize('change', [
    {'rotations': 10}, {'crop': 30}, {'group': 'X4'}, {'fields': ()}, {'frequencies': 18},
    {'rotations': 34}])
def test_settings_out_of_range_are_refused(change: dict) -> None:
    with pytest.raises(ConfigError):
        replace(SMALL, **change)


def test_parts_of_two_policies_do_not_open(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / 'scene').symlink_to(bundle / 'scene')
    (tmp_path / 'crop').symlink_to(bundle / 'scene')
    with pytest.raises((ConfigError, BundleError)):
        PlanarPolicy.from_bundle(tmp_path)
