"""A spatial policy turns with the scene, the object and the target."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
import torch
from torch_session import Network

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.groups.grid import turn_cube
from eq_core.groups.rotation_sets import cube_group
from eq_core.groups.wigner import wigner_matrices
from eq_eval.cli.verify import verify_parts
from eq_eval.manipulation.spatial.laws import law_errors
from eq_eval.manipulation.spatial.tasks import SpatialTask
from eq_eval.training.export import export_spatial
from eq_manipulation.spatial import correlation
from eq_manipulation.spatial import losses
from eq_manipulation.spatial.config import SpatialConfig
from eq_manipulation.spatial.model import plain_twin
from eq_manipulation.spatial.model import SpatialNetworks
from eq_manipulation.spatial.policy import SpatialPolicy
from eq_manipulation.spatial.postprocess import centre_of
from eq_manipulation.spatial.postprocess import peaks
from eq_manipulation.spatial.postprocess import read_between
from eq_manipulation.spatial.postprocess import share_near
from eq_manipulation.spatial.preprocess import scene_picture
from eq_manipulation.spatial.search import Poses
from eq_manipulation.spatial.search import PoseScore
from eq_manipulation.spatial.search import refined
from eq_manipulation.two_networks import PARTS

SMALL = SpatialConfig(size=24, resolution=.016, fields=((4, 2, 1), (6, 3, 2), (6, 3, 2)),
                      features=(2, 1, 1), crop=16, candidates=3)


def policy_of(networks: SpatialNetworks) -> SpatialPolicy:
    """A policy that runs in torch."""
    return SpatialPolicy(networks.config, Network(networks.scene), Network(networks.crop))


def networks_of(config: SpatialConfig = SMALL, dtype: torch.dtype = torch.float32
                ) -> SpatialNetworks:
    """Networks with random weights."""
    torch.manual_seed(0)
    return SpatialNetworks(config).to(dtype)


def pictures(dtype: str = 'float32') -> tuple[np.ndarray, np.ndarray]:
    """A scene and a crop at random, mostly empty."""
    rng = np.random.default_rng(0)
    return tuple(np.where(rng.random((4, edge, edge, edge)) < .1,
                          rng.standard_normal((4, edge, edge, edge)), 0).astype(dtype)
                 for edge in (SMALL.size, SMALL.crop))


@pytest.mark.parametrize(('dtype', 'limit'), [(torch.float32, 1e-4), (torch.float64, 1e-6)])
def test_pick_and_place_keep_the_laws_at_all_turns_of_the_cube(dtype: torch.dtype, limit: float
                                                               ) -> None:
    count = 24 if dtype == torch.float32 else 6
    found = law_errors(policy_of(networks_of(dtype=dtype)), *pictures(str(dtype)[6:]), count)
    assert found.pick < limit
    assert found.scores < limit
    assert found.cells < 1e-4 and found.degrees < .01


def test_without_the_closed_set_of_rotations_the_coarse_law_does_not_hold() -> None:
    config = replace(SMALL, lifting='icosahedron', degree=2, refine=False)
    found = law_errors(policy_of(networks_of(config)), *pictures(), 6)
    assert found.pick < 1e-4
    assert found.scores > 1e-3


def test_the_plain_twin_has_ordinary_layers_of_equal_widths_and_no_law(tmp_path: Path) -> None:
    twin = plain_twin(SMALL)
    assert [sum(each) for each in twin.fields] == [4 + 2 * 3 + 5, 6 + 3 * 3 + 2 * 5,
                                                   6 + 3 * 3 + 2 * 5]
    networks = networks_of(twin)
    assert networks.scene.unet.refine[0].convolution.kernel().shape == (15, 15, 3, 3, 3)
    picture, crop = pictures()
    found = law_errors(policy_of(networks), picture, crop, 3)
    assert found.pick > .1
    assert found.scores > .1
    export_spatial(networks.eval(), tmp_path, picture, crop, 'twin', {'seed': 0}, '')
    exported, policy = SpatialPolicy.from_bundle(tmp_path), policy_of(networks)
    phi = policy.sessions[0].run({'picture': picture[None]})['place_features'][0]
    np.testing.assert_allclose(exported.crop_features(crop), policy.crop_features(crop), atol=1e-5)
    assert policy.places(phi, policy.crop_features(crop))[1].rotations.shape[1:] == (3, 3)


def test_copies_of_pictures_and_of_features_are_compared_alike() -> None:
    psi = np.random.default_rng(0).standard_normal((3, 8, 8, 8)).astype(np.float32)
    copies = correlation.turned_pictures(psi, 'icosahedron', 2)
    np.testing.assert_allclose(
        correlation.copy_kernels(copies, 'icosahedron', 2),
        correlation.fiber_kernels(psi, (3, 0, 0), 'icosahedron', 2), atol=1e-5)
    turns = torch.from_numpy(np.asarray(correlation.lifting_set('icosahedron', 2).rotations))
    np.testing.assert_allclose(losses.turned(torch.from_numpy(psi), turns.float(), (3,)), copies,
                               atol=1e-5)


def test_correlation_of_torch_and_numpy_agree_with_the_sum() -> None:
    rng = np.random.default_rng(0)
    phi = rng.standard_normal((3, 10, 10, 10)).astype(np.float32)
    kernel = rng.standard_normal((2, 3, 4, 4, 4)).astype(np.float32)
    padded = np.pad(phi, ((0, 0), (2, 2), (2, 2), (2, 2)))
    found = correlation.correlate(phi, kernel)
    for z, y, x in ((0, 3, 10), (5, 5, 5), (10, 0, 7)):
        direct = (padded[:, z:z + 4, y:y + 4, x:x + 4] * kernel).sum((1, 2, 3, 4))
        np.testing.assert_allclose(found[:, z, y, x], direct, atol=1e-4)
    np.testing.assert_allclose(losses.correlate(
        torch.from_numpy(phi), torch.from_numpy(kernel)).numpy(), found, atol=1e-4)


def test_scores_between_cells_are_those_of_the_correlation_at_turns_of_the_cube() -> None:
    rng = np.random.default_rng(0)
    phi = rng.standard_normal((3, 12, 12, 12)).astype(np.float32)
    psi = rng.standard_normal((3, 8, 8, 8)).astype(np.float32)
    inside, _ = correlation.ball(8)
    psi = np.where(np.isin(np.arange(512), inside).reshape(8, 8, 8), psi, 0)
    turns = cube_group()[[0, 5, 11, 20]]
    vectors = wigner_matrices(turns, 1)[1]      # of which phi and psi consist
    copies = np.stack([np.einsum('ij,jzyx->izyx', vector, turn_cube(psi, turn))
                       for vector, turn in zip(vectors, turns, strict=True)]).astype(np.float32)
    scores = correlation.correlate(phi, copies)
    place = np.tile([1., -2., 0.], (4, 1))
    at = tuple((place[0, ::-1] + 6).astype(int))
    found = PoseScore(phi, psi, (0, 1))(turns, place)
    np.testing.assert_allclose(found, scores[:, *at], atol=1e-3)
    np.testing.assert_allclose(losses.pose_scores(
        torch.from_numpy(phi), torch.from_numpy(psi), (0, 1), torch.from_numpy(turns).float(),
        torch.from_numpy(place).float()), scores[:, *at], atol=1e-3)
    found = losses.turned(torch.from_numpy(psi), torch.from_numpy(turns).float(), (0, 1))
    np.testing.assert_allclose(found, copies, atol=1e-5)


def test_the_search_finds_where_smooth_features_were_cut_out() -> None:
    axis = np.arange(24) - 11.5
    z, y, x = np.meshgrid(axis, axis, axis, indexing='ij')
    corners = np.array([[3., 0., 0.], [-2., 3., 0.], [0., -1., 3.]])
    turn = Rotation.from_rotvec([.5, -.9, .4]).as_matrix()
    place = np.array([2.3, -1.4, .7])

    def blobs(at: np.ndarray, edge: int) -> np.ndarray:
        low = (24 - edge) // 2
        part = np.s_[low:low + edge, low:low + edge, low:low + edge]
        return np.stack([np.exp(-((x - one[0]) ** 2 + (y - one[1]) ** 2 + (z - one[2]) ** 2) / 3)
                         [part] for one in at]).astype(np.float32)

    score = PoseScore(blobs(corners @ turn.T + place, 24), blobs(corners, 12),
                      (3,))
    start = Rotation.from_rotvec([.2, .1, -.1]).as_matrix() @ turn
    found = refined(score, Poses(start[None], np.rint(place)[None], np.zeros(1)))
    np.testing.assert_allclose(found.places[0], place, atol=.1)
    np.testing.assert_allclose(found.rotations[0], turn, atol=.08)


def test_exported_policy_is_whole_and_keeps_its_laws(tmp_path: Path) -> None:
    networks = networks_of()
    networks.train()
    with torch.no_grad():       # gives the normalisation something to fold
        for network, picture in zip((networks.scene, networks.crop), pictures(), strict=True):
            network(torch.from_numpy(picture)[None])
    export_spatial(networks.eval(), tmp_path / 'policy', *pictures(), 'policy', {'seed': 0}, '')
    parts = [tmp_path / 'policy' / part for part in PARTS]
    result = verify_parts(tmp_path / 'policy', parts, 'onnxruntime', 1)
    assert result['ok'], result['problems']
    assert result['pick_error'] <= 1e-4
    assert result['place_error'] <= 1e-4
    (tmp_path / 'scene').symlink_to(parts[0])
    (tmp_path / 'crop').symlink_to(parts[0])
    with pytest.raises(ConfigError):
        SpatialPolicy.from_bundle(tmp_path)


def test_decisions_are_rigid_motions_in_the_frame_of_the_voxels() -> None:
    task = SpatialTask('mug-on-rack')
    task.reset(1)
    voxels = task.look()
    config = replace(SMALL, size=48, resolution=.008)
    answer = policy_of(networks_of(config)).plan(voxels, 3)
    assert answer.frame_id == 'cube'
    assert len(answer.pick) == 3 and len(answer.place) <= 3
    assert answer.pick_heat.shape == (24, 24, 24) and answer.place_heat.shape == (25, 25, 25)
    assert voxels.workspace.contains(answer.pick[:, :3, 3]).all()
    with pytest.raises(InputError, match='24 voxels'):
        scene_picture(voxels, SMALL)


def test_peaks_are_apart_and_their_centres_between_cells() -> None:
    heat = np.zeros((10, 10, 10), np.float32)
    heat[2, 3, 4], heat[2, 3, 5], heat[8, 8, 1] = .4, .2, .3
    assert peaks(heat, 2, 5) == [(2, 3, 4), (8, 8, 1)]
    place = centre_of(heat, (2, 3, 4))
    np.testing.assert_allclose(place + 4.5, [4 + 1 / 3, 3, 2], atol=1e-6)
    assert share_near(heat, place, 1.) == pytest.approx(.6)
    assert read_between(heat[None], place)[0] == pytest.approx(.4 * 2 / 3 + .2 / 3)


@pytest.mark.parametrize('change', [
    {'size': 20}, {'crop': 20}, {'crop': 32}, {'lifting': 'spiral'}, {'degree': 6},
    {'degree': -1}, {'lifting': 'icosahedron'}, {'fields': ()}, {'features': (0, 0, 0)},
    {'steerable': False}, {'turn_before': True}])
def test_settings_out_of_range_are_refused(change: dict) -> None:
    with pytest.raises(ConfigError):
        replace(SMALL, **change)
    assert SpatialConfig.from_dict(SMALL.to_dict()) == SMALL
