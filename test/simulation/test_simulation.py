"""Laws of the simulated sequences."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('open3d', reason='the simulation needs open3d-cpu')

from eq_core.errors import ConfigError
from eq_eval.datasets.scan import LabeledScan
from eq_eval.simulation import sample_specs
from eq_eval.simulation import SENSORS
from eq_eval.simulation import SequenceSpec
from eq_eval.simulation import simulate
from eq_eval.simulation import simulate_sequence
from eq_eval.simulation import WorldConfig
from eq_eval.simulation import WORLDS
from eq_eval.simulation.scanner import Scanner

NOISE = .12  # six sigmas of the range noise of all materials that objects are made of [m]


@pytest.fixture(scope='module', params=WORLDS)
def sequence(request) -> list[LabeledScan]:
    return list(simulate_sequence(request.param, 'os1_64', 11, 3, 'validation', columns=512))


def local(scan: LabeledScan, row: int) -> np.ndarray:
    """The points of a box in the frame of the box."""
    boxes = scan.boxes
    shift = scan.points.xyz[scan.instance == boxes.track_id[row]] - boxes.center[row]
    cos, sin = np.cos(boxes.yaw[row]), np.sin(boxes.yaw[row])
    return np.stack([cos * shift[:, 0] + sin * shift[:, 1],
                     cos * shift[:, 1] - sin * shift[:, 0], shift[:, 2]], -1)


def digest(scans) -> str:
    code = hashlib.sha256()
    for scan in scans:
        for part in (scan.points.xyz, scan.points.intensity, scan.points.time_offset, scan.pose,
                     scan.semantic, scan.instance, scan.num_points, scan.boxes.center,
                     scan.boxes.size, scan.boxes.yaw, scan.boxes.velocity, scan.boxes.track_id):
            code.update(np.ascontiguousarray(part).tobytes())
    return code.hexdigest()


@pytest.mark.parametrize('world', WORLDS)
def test_equal_specs_give_equal_bytes(world):
    spec = SequenceSpec(WorldConfig(kind=world), 'vlp16', 5, 'train', 2, 3, columns=256,
                        motion_distortion=world == 'street')
    assert digest(simulate(spec)) == digest(simulate(spec))


def test_other_seeds_and_splits_give_other_worlds():
    made = [digest(simulate_sequence('square', 'vlp16', seed, 1, split, columns=128))
            for seed, split in ((0, 'train'), (1, 'train'), (0, 'test'), (0, 'validation'))]
    assert len(set(made)) == len(made)


def test_a_scan_does_not_depend_on_those_before_it():
    """With equal duration, the last scan is the same whether others were asked for or not."""
    every = list(simulate_sequence('square', 'vlp16', 4, 5, 'train', columns=128))
    some = list(simulate_sequence('square', 'vlp16', 4, 3, 'train', stride=2, columns=128))
    assert digest(every[::2]) == digest(some)


def test_points_of_an_object_lie_in_its_box_and_are_counted(sequence):
    for scan in sequence:
        assert len(scan.boxes) > 5
        for row in range(len(scan.boxes)):
            points = local(scan, row)
            assert len(points) == scan.num_points[row]
            assert (np.abs(points) <= scan.boxes.size[row] / 2 + NOISE).all()
        assert scan.num_points.sum() > 100


def test_boxes_stand_on_the_ground(sequence):
    """The median ground height around well seen boxes is that of their underside."""
    ground = np.isin(sequence[0].semantic, (40, 44, 48, 49, 72))
    places = sequence[0].points.xyz[ground]
    gaps = []
    for center, size in zip(sequence[0].boxes.center, sequence[0].boxes.size, strict=True):
        near = np.hypot(*(places[:, :2] - center[:2]).T) < 3
        if near.sum() > 20:
            gaps.append(center[2] - size[2] / 2 - np.median(places[near, 2]))
    assert len(gaps) > 3
    assert np.abs(np.median(gaps)) < .08
    assert np.max(np.abs(gaps)) < .35


def test_identity_class_and_size_are_stable(sequence):
    known = {}
    for scan in sequence:
        assert len(set(scan.boxes.track_id)) == len(scan.boxes)
        assert (scan.boxes.track_id > 0).all()
        for track, label, size in zip(scan.boxes.track_id, scan.boxes.label, scan.boxes.size,
                                      strict=True):
            first = known.setdefault(track, (label, size))
            assert first[0] == label
            np.testing.assert_allclose(first[1], size)


def test_velocity_is_displacement_over_time(sequence):
    first, last = sequence[0], sequence[1]
    elapsed = (last.points.stamp - first.points.stamp) * 1e-9
    common, a, b = np.intersect1d(first.boxes.track_id, last.boxes.track_id, return_indices=True)
    places = [scan.boxes.transformed(scan.pose) for scan in (first, last)]
    moved = (places[1].center[b] - places[0].center[a])[:, :2] / elapsed
    mean = (places[0].velocity[a] + places[1].velocity[b]) / 2
    assert np.hypot(*mean.T).max() > .5
    np.testing.assert_allclose(moved, mean, atol=.06)


def test_nothing_overlaps(sequence):
    shapely = pytest.importorskip('shapely')
    for scan in sequence:
        areas = [shapely.Polygon(corners) for corners in scan.boxes.corners_bev()]
        tree = shapely.STRtree(areas)
        for i, j in zip(*tree.query(areas, predicate='intersects'), strict=True):
            assert i == j or areas[i].intersection(areas[j]).area < 1e-6


def test_point_labels_agree_with_the_classes_of_objects(sequence):
    raw = np.array([10, 18, 30, 31])
    for scan in sequence:
        for track, label in zip(scan.boxes.track_id, scan.boxes.label, strict=True):
            assert (scan.semantic[scan.instance == track] == raw[label]).all()
        free = scan.instance == 0
        assert not np.isin(scan.semantic[free], raw).any()
        assert free.sum() > 1000


@pytest.mark.parametrize('name', SENSORS)
def test_sensors_return_a_plausible_scan(name):
    sensor = SENSORS[name]
    scan = next(simulate_sequence('hall', name, 3, 1, 'train', columns=360))
    distance = np.linalg.norm(scan.points.xyz, axis=1)
    assert .5 * 360 * sensor.rings < len(scan.points) <= 360 * sensor.rings
    assert distance.min() >= sensor.min_range * .999
    assert distance.max() <= sensor.max_range * 1.001
    assert ((scan.points.intensity >= 0) & (scan.points.intensity <= 1)).all()
    elevation = np.rad2deg(np.arcsin(scan.points.xyz[:, 2] / distance))
    assert elevation.max() <= max(sensor.elevations) + 2.5  # the mount may be tilted
    assert elevation.min() >= min(sensor.elevations) - 2.5


def test_beam_tables_have_the_published_extent():
    table = {name: (sensor.rings, max(sensor.elevations), min(sensor.elevations))
             for name, sensor in SENSORS.items()}
    assert table['hdl64e'] == pytest.approx((64, 2., -24.33))
    assert table['vlp32c'] == pytest.approx((32, 15., -25.))
    assert table['vlp16'] == pytest.approx((16, 15., -15.))
    assert table['os1_64'] == pytest.approx((64, 22.5, -22.5))
    assert table['os1_128'] == pytest.approx((128, 22.5, -22.5))
    for sensor in SENSORS.values():
        assert (np.diff(sensor.elevations) < 0).all()


@pytest.mark.parametrize('world', WORLDS)
def test_aiming_at_moving_objects_changes_nothing(world, monkeypatch):
    """Rays that are not cast at the moving objects would not have met them."""
    spec = SequenceSpec(WorldConfig(world), 'hdl64e', 6, 'train', 2, 8, columns=512)
    aimed = digest(simulate(spec))
    monkeypatch.setattr(Scanner, 'aimed', lambda self, time: None)
    assert digest(simulate(spec)) == aimed


def test_motion_distortion_gives_each_point_its_time():
    still, moved = (next(simulate_sequence('street', 'vlp16', 9, 1, 'train', columns=256,
                                           motion_distortion=flag)) for flag in (False, True))
    assert not still.points.time_offset.any()
    offset = moved.points.time_offset
    assert (np.diff(offset) >= 0).all()
    assert 0 <= offset.min() < .01 < .09 < offset.max() < .1
    # Clockwise from the back: straight ahead is seen after half a turn.
    azimuth = np.arctan2(moved.points.xyz[:, 1], moved.points.xyz[:, 0])
    np.testing.assert_allclose(offset, (np.pi - azimuth) / (2 * np.pi) * .1, atol=1e-3)


def test_distorted_points_are_seen_from_the_place_of_their_time():
    """The wall ahead is nearer by the way that the sensor has gone when it looks there."""
    world = WorldConfig('hall', 0., 0., 0., 0., 0., 0., ego_speed=3.)
    gone = []
    for distortion in (False, True):
        scan = next(simulate(SequenceSpec(world, 'os1_64', 2, 'train', 1, columns=1024,
                                          motion_distortion=distortion)))
        x, y, z = scan.points.xyz.T
        ahead = (scan.semantic == 50) & (x > 0) & (np.abs(y) < 1.5) & (np.abs(z) < .3)
        assert ahead.sum() > 20
        gone.append(-np.median(x[ahead]))
        if distortion:
            assert np.median(scan.points.time_offset[ahead]) == pytest.approx(.05, abs=.003)
    assert gone[1] - gone[0] == pytest.approx(3. * .05, abs=.02)


def test_traffic_keeps_to_the_road_direction_in_streets():
    """Moving vehicles of a street without cross roads are parallel to the sensor's lane."""
    angles = []
    for seed in range(6):
        scan = next(simulate_sequence('street', 'vlp16', seed, 1, 'train', columns=64))
        fast = (scan.boxes.label < 2) & (np.hypot(*scan.boxes.velocity.T) > 3)
        near = fast & (np.hypot(*scan.boxes.center[:, :2].T) < 30)
        angles.extend(np.abs(np.sin(scan.boxes.yaw[near])))
    assert len(angles) > 10
    assert np.median(angles) < .2


@pytest.mark.parametrize(('field', 'value'), [
    ('kind', 'moon'), ('traffic', -1.), ('slope', .5), ('mount_height', (2., 1.)),
    ('ego_speed', 100.), ('spurious', 1.), ('pedestrians', float('nan'))])
def test_bad_worlds_are_refused(field, value):
    with pytest.raises(ConfigError, match=field if field != 'kind' else 'moon'):
        WorldConfig(**{field: value})


@pytest.mark.parametrize(('field', 'value'), [
    ('sensor', 'radar'), ('split', 'holdout'), ('seed', -1), ('num_scans', 0), ('stride', 0),
    ('columns', 3)])
def test_bad_sequences_are_refused(field, value):
    with pytest.raises(ConfigError):
        SequenceSpec(**{'world': WorldConfig(), field: value})


def test_drawn_specs_do_not_depend_on_their_number():
    few, many = sample_specs('train', 5, 3), sample_specs('train', 20, 3)
    assert few == many[:5]
    assert len({(spec.world.kind, spec.seed) for spec in many}) == 20
    assert {spec.split for spec in many} == {'train'}


def test_empty_worlds_are_possible():
    world = WorldConfig('square', 0., 0., 0., 0., 0., 0.)
    scan = next(simulate_sequence(world, 'vlp16', 0, 1, 'train', columns=64))
    assert len(scan.boxes) == len(scan.num_points) == 0
    assert len(scan.points) > 100


def test_package_starts_without_open3d():
    """Only ray casting needs Open3D; configuration does not."""
    source = Path(__file__).resolve().parents[2] / 'eq_eval' / 'simulation'
    for path in source.glob('*.py'):
        for line in path.read_text().splitlines():
            assert not line.startswith(('import open3d', 'from open3d')), path
