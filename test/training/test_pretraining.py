"""Pre-training without labels: what is asked is true of the scans, obeys its law, is learnt."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import pytest
import torch
from typer.testing import CliRunner

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import Representation
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.selection import open_session
from eq_eval.cli.train import app as train_app
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.rotation import yaw_pose
from eq_eval.seen_scans import refuse_seen
from eq_eval.training.augmentation import Augmentation
from eq_eval.training.pretraining import COLLAPSED
from eq_eval.training.pretraining import outcome
from eq_eval.training.pretraining import pretrain
from eq_eval.training.pretraining import start_pretraining
from eq_eval.training.pretraining_samples import PretrainingBatch
from eq_eval.training.pretraining_samples import PretrainingStream
from eq_eval.training.recipe import PretrainingRecipe
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.scene_flow import register
from eq_eval.training.scene_flow import scene_flow
from eq_eval.training.scene_flow import seen_again
from eq_eval.training.unlabeled import UnlabeledScans
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector
from eq_perception.pretraining.config import Objectives
from eq_perception.pretraining.model import InvariantHead
from eq_perception.pretraining.model import Pretrainer
from eq_perception.pretraining.model import Projected
from eq_perception.pretraining.objectives import flow_consistency
from eq_perception.pretraining.objectives import point_info_nce
from eq_perception.pretraining.objectives import rotation_bin
from eq_perception.pretraining.objectives import spread

SMALL = DetectorConfig(point_cloud_range=12.8, max_pillars=2048, channels=(3, 4, 4, 6, 4),
                       depth=(1, 1, 1))
NO_SCENES = ScanStore(Path(), ())
STILL = Augmentation(0., flip=False, scale=0., height=0., dropout=0., intensity=0.)
ALL = Objectives(occupancy=1., points=256, width=16)


def drive(count: int = 3, seed: int = 0, step: float = .8, posed: bool = True
          ) -> list[LabeledScan]:
    """Scans of one place, bumpy ground and posts, the sensor `step` further ahead in each."""
    rng = np.random.default_rng(seed)
    ground = np.column_stack([rng.uniform(-16, 16, (6000, 2)), rng.normal(-1.7, .02, 6000)])
    posts = rng.uniform(-14, 14, (60, 2)).repeat(60, 0) + rng.normal(0, .05, (3600, 2))
    world = np.concatenate([ground, np.column_stack([posts, rng.uniform(-1.7, 1, 3600)])])
    scans = []
    for index in range(count):
        pose = np.eye(4)
        pose[0, 3] = step * index
        xyz = world - pose[:3, 3]
        scans.append(LabeledScan(Points.from_xyz(xyz, np.full(len(xyz), .3), stamp=index * 10**8),
                                 pose if posed else np.eye(4), sequence='drive', index=index))
    return scans


def recording(scans: list[LabeledScan], name: str = 'drive') -> Recording:
    return Recording(name, 'made', len(scans), lambda lost: iter(scans), has_boxes=True)


def stream(objectives: Objectives, augmentation: Augmentation, seed: int = 0
           ) -> PretrainingStream:
    return PretrainingStream(NO_SCENES, UnlabeledScans.read([recording(drive())]), SMALL,
                             objectives, augmentation, 2, seed)


def centres(cells: NDArray[np.int64]) -> NDArray[np.float64]:
    return SMALL.head_grid.centre(cells % SMALL.head_size ** 2)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('name', ['C1', 'C4', 'C8', 'D4'])
def test_a_head_averaged_over_the_group_is_invariant(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    group = PlanarGroup.from_name(name)
    head = InvariantHead(group, 3, 8, 5, vectors=1, scalars=2).to(dtype)
    feature = torch.randn(7, 3, group.order, dtype=dtype)
    vector, scalar = torch.randn(7, 1, 2, dtype=dtype), torch.randn(7, 2, dtype=dtype)
    answer = head(feature.flatten(1), vector, scalar)
    for element in range(group.order):
        regular = torch.as_tensor(Representation.regular(group).matrices[element], dtype=dtype)
        turn = torch.as_tensor(group.matrices[element], dtype=dtype)
        again = head((feature @ regular.T).flatten(1), vector @ turn.T, scalar)
        torch.testing.assert_close(again, answer)
    assert answer.std(0).min() > 1e-3
    if group.order > 1:     # it looks at the vector, too
        assert not torch.allclose(head(feature.flatten(1), -vector, scalar), answer)


@pytest.mark.parametrize(('dtype', 'limit'), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
def test_embeddings_stay_with_their_points_when_the_scene_turns(
        dtype: torch.dtype, limit: float) -> None:
    torch.manual_seed(1)
    network = Projected(SMALL, 16).to(dtype).eval()
    rng = np.random.default_rng(2)
    size = SMALL.grid_size
    index = torch.as_tensor(np.where(rng.random(size ** 2) < .3, rng.integers(0, 400, size ** 2),
                                     400))
    points = torch.as_tensor(rng.normal(size=(400, 12, 8)), dtype=dtype)
    turned = points.clone()
    for column in (4, 6):       # (x, y) -> (-y, x)
        turned[..., column] = -points[..., column + 1]
        turned[..., column + 1] = points[..., column]
    grid = index.reshape(size, size)
    # index[iy, ix] of the turned scene is what was at (y, -x).
    moved = torch.rot90(grid, -1, (0, 1)).contiguous().reshape(-1)
    with torch.no_grad():
        upright = network.features(points, index)
        quarter = network.features(turned, moved)
        rows = [each.permute(0, 2, 3, 1) for each in (torch.rot90(upright, -1, (2, 3)), quarter)]
        first, second = (network.embed(each.flatten(0, 2)) for each in rows)
    assert (first - second).abs().max() < limit and first.std(0).max() > 1e-3


def test_points_of_both_views_are_the_same_points() -> None:
    """With nothing changed but a mirror, matched cells are mirror images or the same."""
    batch = stream(replace(ALL, flow=0.), replace(STILL, flip=True), seed=3).batch(0)
    assert batch.earlier is None and len(batch.matched) > 200
    first, second = centres(batch.matched[:, 0]), centres(batch.matched[:, 1])
    np.testing.assert_allclose(first[:, 0], second[:, 0])
    np.testing.assert_allclose(np.abs(first[:, 1]), np.abs(second[:, 1]))
    for sample in range(2):
        own = batch.matched[batch.sample == sample]
        assert (own // SMALL.head_size ** 2 == sample).all()
        assert len(np.unique(own[:, 0])) == len(own)


@pytest.mark.parametrize('degrees', [0., 90.])
def test_flow_is_the_motion_of_the_sensor_in_the_turned_view(degrees: float) -> None:
    """The world comes .8 m, one cell of the head, nearer along x."""
    batch = stream(ALL, replace(STILL, yaw_degrees=degrees), seed=1).batch(0)
    assert len(batch.flow) > 200
    moved = centres(batch.flow[:, 1]) - centres(batch.flow[:, 0])
    sample = batch.flow[:, 0] // SMALL.head_size ** 2
    for number, yaw in enumerate(batch.yaw):
        expected = -.8 * np.array([np.cos(yaw), np.sin(yaw)])
        np.testing.assert_allclose(moved[sample == number].mean(0), expected, atol=.06)
    assert (np.abs(batch.yaw) <= np.radians(degrees)).all()


def test_what_moves_by_itself_moves_with_its_box() -> None:
    earlier, later = drive(2)
    earlier = replace(earlier, boxes=Boxes3D([[5., 0, -1]], [[4., 2, 1.5]], [0.], [0],
                                             track_id=[7]))
    later = replace(later, boxes=Boxes3D([[6., 1, -1]], [[4., 2, 1.5]], [np.pi / 2], [0],
                                         track_id=[7]))
    xyz = np.array([[6., .5, -1], [-3., 2, -1.7]], np.float32)
    np.testing.assert_allclose(scene_flow(xyz, earlier, later), [[5.5, 2, -1], [-3.8, 2, -1.7]],
                               atol=1e-6)
    other = replace(later, boxes=replace(later.boxes or Boxes3D.empty(), track_id=[8]))
    np.testing.assert_allclose(scene_flow(xyz, earlier, other)[0], [5.2, .5, -1], atol=1e-6)
    found = seen_again(np.array([[0., 0, 50], later.points.xyz[0]]), later.points)
    assert found.tolist() == [False, True]


def test_scans_without_poses_are_registered() -> None:
    pytest.importorskip('open3d', reason='Open3D missing')
    scans = UnlabeledScans.read([recording(drive(posed=False))]).sequences[0]
    for index, scan in enumerate(scans):
        np.testing.assert_allclose(scan.pose[:3, 3], [.8 * index, 0, 0], atol=.05)
    turned = scans[0].points.transformed(yaw_pose(4.))
    np.testing.assert_allclose(register(turned, scans[0].points, np.eye(4)), yaw_pose(-4.),
                               atol=.01)


def test_behind_a_wall_there_is_something_and_before_it_nothing() -> None:
    rng = np.random.default_rng(0)
    wall = np.column_stack([np.full(4000, 8.), rng.uniform(-8, 8, 4000),
                            rng.uniform(-1.7, 2, 4000)])
    ground = np.column_stack([rng.uniform(1, 8, (4000, 1)), rng.uniform(-8, 8, (4000, 1)),
                              np.full((4000, 1), -1.7)])
    scan = LabeledScan(Points.from_xyz(np.concatenate([wall, ground])), np.eye(4))
    asked = PretrainingStream(NO_SCENES, UnlabeledScans.read([recording([scan, scan])]), SMALL,
                              Objectives(contrastive=0., rotation=0., flow=0., occupancy=1.),
                              STILL, 2, 0).batch(0)
    assert asked.second is None and asked.earlier is None and len(asked.matched) == 0
    x = centres(asked.queried)[:, 0] + asked.offset[:, 0]
    of_wall = asked.height > .6     # beams to the ground end below
    np.testing.assert_array_equal(asked.occupied[of_wall] > 0, x[of_wall] > 8)
    assert np.abs(asked.offset).max() <= .4 + 1e-6
    assert .3 < asked.occupied.mean() < .7


def test_the_objectives_are_those_of_the_paper() -> None:
    rng = np.random.default_rng(0)
    first, second = (torch.nn.functional.normalize(torch.as_tensor(rng.normal(size=(6, 4))), dim=1)
                     for _ in range(2))
    similarity = (first @ second.T / .2).numpy()
    ways = [-np.sum(np.diag(each) - np.log(np.exp(each).sum(1)))
            for each in (similarity, similarity.T)]
    assert float(point_info_nce(first, second, .2)) == pytest.approx(np.mean(ways))
    assert float(point_info_nce(first, first, .01)) < 1e-3
    assert float(flow_consistency(first, second, 10)) == pytest.approx(
        float(((first - second) ** 2).sum() / 10))
    assert rotation_bin(torch.tensor([-1., -.79, 0., .99, 1.]), 10, 1.).tolist() == [0, 1, 5, 9, 9]
    assert float(spread(first[:1].expand(9, -1))) == pytest.approx(0, abs=1e-9)
    assert float(spread(torch.eye(16))) > .9


@pytest.mark.parametrize('wrong', [{'flow': -1.}, {'temperature': 0.}, {'bins': 1},
                                   {'contrastive': 0., 'rotation': 0., 'flow': 0.}])
def test_objectives_that_ask_nothing_sensible_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match='got|not all 0'):
        Objectives(**wrong)  # type: ignore[arg-type]


def test_a_run_learns_resumes_and_leaves_the_heads_alone(tmp_path: Path) -> None:
    scans = UnlabeledScans.read([recording(drive())])
    recipe = PretrainingRecipe(detector=SMALL, objectives=replace(ALL, target_decay=.9,
                                                                  flow=10.),
                               iterations=60, learning_rate=1e-2, averaging=.5,
                               recorded=str(scans))
    before = start_pretraining(recipe).model
    run = pretrain(recipe, NO_SCENES, tmp_path / 'whole', recorded=scans)
    first, _, last = (json.loads(line) for line in
                      (tmp_path / 'whole/log.jsonl').read_text().splitlines())
    assert last['contrastive'] < .9 * first['contrastive']
    assert last['occupancy'] < first['occupancy'] and last['spread'] > COLLAPSED
    assert not outcome(tmp_path / 'whole')['collapsed']
    assert isinstance(before, Pretrainer) and isinstance(run.model, Pretrainer)
    weights = before.online.network.state_dict()
    for name, weight in run.model.online.network.state_dict().items():
        if name.startswith('heads.') and name.endswith(('weight', 'bias')):
            # Nothing asks the heads; what moves them is weight decay alone.
            torch.testing.assert_close(weight, weights[name], rtol=.02, atol=1e-6)
    moved = [(slow - fast).abs().max() for slow, fast in zip(
        run.model.target.parameters(), run.model.online.parameters(), strict=True)]
    assert max(moved) > 1e-3
    again = start_pretraining(recipe)
    for number in range(3):
        again.update(_batch(recipe, scans, number))
    again.save(tmp_path / 'checkpoint.pt')
    resumed = start_pretraining(recipe)
    resumed.restore(tmp_path / 'checkpoint.pt')
    for training in (again, resumed):
        training.update(_batch(recipe, scans, 3))
    for one, other in zip(again.model.state_dict().values(), resumed.model.state_dict().values(),
                          strict=True):
        assert torch.equal(one, other)
    with pytest.raises(InputError, match='holds a run on 3 unlabelled scans of drive'):
        pretrain(replace(recipe, recorded=''), NO_SCENES, tmp_path / 'whole')


def _batch(recipe: PretrainingRecipe, scans: UnlabeledScans, number: int) -> PretrainingBatch:
    return PretrainingStream(NO_SCENES, scans, recipe.detector, recipe.objectives,
                             recipe.augmentation, recipe.batch_size, recipe.seed).batch(number)


def test_collapse_is_told(tmp_path: Path) -> None:
    for spread_left, collapsed in ((.02, True), (.4, False)):
        (tmp_path / 'log.jsonl').write_text(
            json.dumps({'step': 20, 'flow': .1, 'spread': spread_left, 'total': 1.,
                        'seconds': 2.}) + '\n')
        assert outcome(tmp_path) == {'flow': .1, 'spread': spread_left, 'collapsed': collapsed}
    assert outcome(tmp_path / 'nothing') == {'collapsed': None}


def test_labels_are_not_looked_at_and_scans_are_told() -> None:
    scans = [replace(scan, boxes=Boxes3D.empty()) for scan in drive()]
    read = UnlabeledScans.read([recording(scans), recording(drive(2), 'other')])
    assert len(read) == 3 and all(scan.boxes is None for part in read.sequences for scan in part)
    assert read.to_list() == [{'name': 'drive', 'scans': [0, 1, 2]},
                              {'name': 'other', 'scans': [0, 1]}]
    assert str(read) == '3 unlabelled scans of drive, 2 unlabelled scans of other'
    with pytest.raises(InputError, match='other has 1 scans'):
        UnlabeledScans.read([recording(drive(1), 'other')])


def test_a_detector_goes_on_from_what_the_command_made(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('open3d', reason='Open3D missing')
    monkeypatch.setattr('eq_eval.datasets.open.open_recording',
                        lambda path: recording(drive(), path.name))

    def call(*command: object) -> dict[str, object]:
        answer = CliRunner().invoke(train_app, [*map(str, command), '--threads', '1', '--json'])
        assert answer.exit_code == 0, answer.exception
        return dict(json.loads(answer.stdout.splitlines()[-1]))

    made = call('pretrain', '--out', tmp_path / 'run', '--scenes', tmp_path / 'scenes',
                '--num-scenes', 0, '--data', 'drive', '--iterations', 20,
                '--point-cloud-range', 12.8)
    assert float(str(made['equivariance_error'])) < 1e-4 and made['collapsed'] in (True, False)
    bundle = Bundle.load(tmp_path / 'run/bundle')
    assert bundle.manifest.name == 'lidar_pretrained_adapted'
    assert bundle.manifest.license == 'Apache-2.0 AND LicenseRef-recording'
    open_session(bundle, ['onnxruntime'], 1).close()      # the law holds on the exported graph
    with pytest.raises(ConfigError, match="must be a model of lidar_detection, got 'lidar_pre"):
        Detector.from_bundle(bundle.path)
    call('detector', '--out', tmp_path / 'detector', '--scenes', tmp_path / 'scenes',
         '--num-scenes', 1, '--from', bundle.path, '--iterations', 1, '--batch-size', 1)
    detector = Bundle.load(tmp_path / 'detector/bundle')
    assert 'from lidar_pretrained_adapted' in str(detector.manifest.training['data'])
    for path in (bundle.path, detector.path):
        with pytest.raises(InputError, match='trained on scans 0 to 2 of drive'):
            refuse_seen(path, 'drive')
