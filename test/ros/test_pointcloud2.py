"""The strict decoder against a slow obvious one, and the rows 1 to 11 of the fault table."""

from __future__ import annotations

from array import array
import copy
from types import SimpleNamespace
import warnings

from hypothesis import given
from hypothesis import settings
import numpy as np
import pytest
from strategies import anything
from strategies import Malformed
from strategies import malformed
from strategies import pointcloud2
from strategies import read_slowly

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_ros.pointcloud2 import decode
from eq_ros.pointcloud2 import DecodeOptions
from eq_ros.pointcloud2 import encode

PROPERTY = settings(max_examples=200, deadline=None, derandomize=True)


def cloud(columns: dict[str, np.ndarray], stamp: int = 5 * 10**9, **changes: object):
    """A packed little-endian message of the given columns."""
    record = np.dtype([(name, column.dtype) for name, column in columns.items()])
    count = len(next(iter(columns.values())))
    table = np.zeros(count, record)
    for name, column in columns.items():
        table[name] = column
    codes = {'i1': 1, 'u1': 2, 'i2': 3, 'u2': 4, 'i4': 5, 'u4': 6, 'f4': 7, 'f8': 8}
    message = SimpleNamespace(
        header=SimpleNamespace(frame_id='lidar', stamp=SimpleNamespace(
            sec=stamp // 10**9, nanosec=stamp % 10**9)),
        height=1, width=count, is_bigendian=False, is_dense=True, point_step=record.itemsize,
        row_step=record.itemsize * count, data=array('B', table.tobytes()),
        fields=[SimpleNamespace(name=name, offset=record.fields[name][1], count=1,
                                datatype=codes[column.dtype.str[1:]])
                for name, column in columns.items()])
    vars(message).update(changes)
    return message


def xyz_columns(count: int, dtype: type = np.float32) -> dict[str, np.ndarray]:
    values = np.random.default_rng(0).uniform(-50, 50, (3, count)).astype(dtype)
    return dict(zip('xyz', values, strict=True))


def reason_of(message: object, options: DecodeOptions | None = None) -> str:
    with pytest.raises(InputError) as caught:
        decode(message, options or DecodeOptions())
    return caught.value.reason


@PROPERTY
@given(pointcloud2())
def test_decodes_every_well_formed_cloud_exactly(message) -> None:
    before = (bytes(message.data), copy.deepcopy([vars(field) for field in message.fields]))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        decoded = decode(message)
    xyz, intensity, time = read_slowly(message)
    np.testing.assert_array_equal(
        decoded.points.xyz, np.array(xyz, np.float32).reshape(-1, 3))
    np.testing.assert_allclose(decoded.points.intensity, intensity, rtol=1e-6, atol=1e-40)
    np.testing.assert_allclose(decoded.points.time_offset, time, atol=1e-6)
    assert decoded.total == message.height * message.width
    assert decoded.removed == decoded.total - len(xyz)
    stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
    assert (decoded.points.frame_id, decoded.points.stamp) == ('lidar', stamp)
    assert (bytes(message.data), [vars(field) for field in message.fields]) == before


@PROPERTY
@given(malformed())
def test_refuses_every_lie_with_its_reason(lie: Malformed) -> None:
    assert reason_of(lie.message) in lie.reasons


@PROPERTY
@given(anything())
def test_raises_nothing_but_input_error(message) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        try:
            decoded = decode(message)
        except InputError as error:
            assert error.reason in {'missing_field', 'bad_field', 'bad_layout'}
        else:
            assert np.isfinite(decoded.points.xyz).all()


@PROPERTY
@given(pointcloud2())
def test_encoding_what_was_decoded_changes_nothing(message) -> None:
    points = decode(message).points
    again = decode(encode(points, with_time=True)).points
    np.testing.assert_array_equal(again.xyz, points.xyz)
    np.testing.assert_array_equal(again.intensity, points.intensity)
    np.testing.assert_array_equal(again.time_offset, points.time_offset)
    assert (again.frame_id, again.stamp) == (points.frame_id, points.stamp)


@pytest.mark.parametrize('shape', [(0, 0), (0, 7), (1, 0)])
def test_empty_cloud_gives_empty_points_with_the_same_header(shape: tuple[int, int]) -> None:
    message = cloud(xyz_columns(0), height=shape[0], width=shape[1], fields=[], point_step=0)
    decoded = decode(message)
    assert (len(decoded.points), decoded.points.frame_id, decoded.points.stamp) == (
        0, 'lidar', 5 * 10**9)


def test_points_that_are_not_finite_are_removed_and_counted_whatever_is_dense_says() -> None:
    columns = xyz_columns(10) | {'intensity': np.linspace(0, 1, 10, dtype=np.float32)}
    columns['x'][2], columns['y'][5], columns['z'][7] = np.nan, np.inf, -np.inf
    decoded = decode(cloud(columns, is_dense=True))
    assert decoded.removed == 3
    kept = [0, 1, 3, 4, 6, 8, 9]
    np.testing.assert_array_equal(decoded.points.intensity, columns['intensity'][kept])
    assert 'mostly_invalid' not in decoded.notes
    columns['x'][3:] = np.nan
    assert 'mostly_invalid' in decode(cloud(columns)).notes


def test_cloud_without_one_usable_point_is_empty_and_says_so() -> None:
    columns = xyz_columns(4)
    columns['x'][:2], columns['z'][2:] = np.nan, 1e6
    decoded = decode(cloud(columns))
    assert (len(decoded.points), decoded.removed) == (0, 4)
    assert 'mostly_invalid' in decoded.notes


def test_extreme_values_are_removed_before_the_cast_without_overflow() -> None:
    columns = xyz_columns(5, np.float64)
    columns['x'][:] = [1e30, -1e308, 5e-324, 1.5, np.finfo(np.float64).max]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        points = decode(cloud(columns)).points
    np.testing.assert_array_equal(points.xyz[:, 0], [0., 1.5])


def test_missing_coordinate_is_named_with_the_fields_that_are_there() -> None:
    columns = {'x': np.zeros(2, np.float32), 'ring': np.zeros(2, np.uint16)}
    with pytest.raises(InputError, match='missing y z, found x, ring') as caught:
        decode(cloud(columns))
    assert caught.value.reason == 'missing_field'


def test_missing_intensity_is_zero_and_noted_or_refused() -> None:
    decoded = decode(cloud(xyz_columns(3)))
    assert not decoded.points.intensity.any() and 'no_intensity' in decoded.notes
    assert reason_of(cloud(xyz_columns(3)), DecodeOptions(require_intensity=True)) == (
        'missing_field')


@pytest.mark.parametrize('dtype', ['i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'f4', 'f8'])
def test_every_datatype_of_a_coordinate_is_converted(dtype: str) -> None:
    columns = {name: np.array([1, 2, 100], dtype) for name in 'xyz'}
    np.testing.assert_array_equal(decode(cloud(columns)).points.xyz[:, 2], [1, 2, 100])


def test_fields_that_cannot_be_meant_are_refused() -> None:
    good = cloud(xyz_columns(3))
    for change in ({'datatype': 0}, {'datatype': 9}, {'count': 0}, {'name': 'x'}):
        message = copy.deepcopy(good)
        vars(message.fields[1]).update(change)
        assert reason_of(message) == 'bad_field', change


def test_sizes_that_disagree_are_refused() -> None:
    good = cloud(xyz_columns(4))
    for change in ({'point_step': 0}, {'point_step': 11}, {'row_step': 47}, {'row_step': 0},
                   {'data': good.data[:-1]}, {'data': good.data + good.data}, {'data': [1, 2]},
                   {'width': 2**32 - 1, 'height': 2**32 - 1}, {'width': 0}, {'width': -4},
                   {'height': None}):
        assert reason_of(SimpleNamespace(**(vars(good) | change))) == 'bad_layout', change


def test_organised_cloud_with_padding_is_read_row_by_row() -> None:
    values = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    padded = np.full((2, 3 * 12 + 5), 0xAB, np.uint8)
    padded[:, :36] = values.reshape(2, 9).view(np.uint8)
    message = cloud(xyz_columns(3), height=2, width=3, row_step=41, data=padded.tobytes())
    np.testing.assert_array_equal(decode(message).points.xyz, values.reshape(6, 3))


def test_big_endian_cloud_is_read_twice_alike_and_stays_unchanged() -> None:
    values = np.arange(12, dtype='>f4')
    data = values.tobytes()
    message = cloud(xyz_columns(4), is_bigendian=True, data=memoryview(data))
    first, second = decode(message).points, decode(message).points
    np.testing.assert_array_equal(first.xyz.ravel(), np.arange(12))
    np.testing.assert_array_equal(second.xyz, first.xyz)
    assert bytes(message.data) == data


def test_huge_cloud_is_thinned_evenly_and_always_alike() -> None:
    count, limit = 1_000_000, 30_000
    columns = xyz_columns(count) | {'intensity': np.linspace(0, 1, count, dtype=np.float32)}
    message = cloud(columns)
    decoded = decode(message, DecodeOptions(max_points=limit))
    assert (len(decoded.points), decoded.thinned, decoded.total) == (limit, count - limit, count)
    assert 'thinned' in decoded.notes
    gaps = np.diff(decoded.points.intensity.astype(np.float64)) * (count - 1)
    assert gaps.min() > 32 and gaps.max() < 35
    again = decode(message, DecodeOptions(max_points=limit))
    np.testing.assert_array_equal(again.points.xyz, decoded.points.xyz)


def test_claim_of_two_gigabytes_is_refused_without_reading_it() -> None:
    message = cloud(xyz_columns(3), width=2**27, row_step=2**31)
    assert reason_of(message) == 'bad_layout'


@pytest.mark.parametrize(('values', 'scale', 'expected'), [
    (np.array([0, 51, 255], np.uint8), 0., [0, 0.2, 1]),
    (np.array([0, 13107, 65535], np.uint16), 0., [0, 0.2, 1]),
    (np.array([0, 500, 3000], np.uint16), 1000., [0, 0.5, 1]),
    (np.array([0, 0.2, 1], np.float32), 0., [0, 0.2, 1]),
    (np.array([0, 51, 255], np.float32), 255., [0, 0.2, 1]),
    (np.array([np.nan, np.inf, -3], np.float64), 0., [0, 1, 0]),
])
def test_intensity_comes_out_between_zero_and_one(
        values: np.ndarray, scale: float, expected: list[float]) -> None:
    message = cloud(xyz_columns(3) | {'intensity': values})
    decoded = decode(message, DecodeOptions(intensity_scale=scale))
    np.testing.assert_allclose(decoded.points.intensity, expected, rtol=1e-6)


def test_intensity_in_another_unit_is_noted() -> None:
    message = cloud(xyz_columns(2) | {'intensity': np.array([3, 200], np.float32)})
    assert 'intensity_scale' in decode(message).notes['intensity_clipped']
    assert 'intensity_clipped' not in decode(message, DecodeOptions(intensity_scale=255)).notes


STAMP = 1_700_000_000 * 10**9


@pytest.mark.parametrize(('name', 'values', 'stamp'), [
    ('t', np.array([0, 50_000_000], np.uint32), STAMP),
    ('time', np.array([0, 0.05], np.float32), STAMP),
    ('time_stamp', np.array([0, 0.05], np.float64), STAMP),
    ('timestamp', np.array([1.7e9, 1.7e9 + 0.05]), STAMP),
    ('timestamp', np.array([1.7e9, 1.7e9 + 0.05]), 0),
    ('timestamp', np.array([1.7e18, 1.7e18 + 5e7]), STAMP),
])
def test_time_of_each_point_becomes_seconds_after_the_stamp(
        name: str, values: np.ndarray, stamp: int) -> None:
    decoded = decode(cloud(xyz_columns(2) | {name: values}, stamp=stamp))
    np.testing.assert_allclose(decoded.points.time_offset, [0, 0.05], atol=1e-6)


@pytest.mark.parametrize('values', [np.array([0, 7], np.float32), np.array([np.nan, 0]),
                                    np.array([0, 2**32 - 1], np.uint32)])
def test_time_that_makes_no_sense_is_zero_and_noted(values: np.ndarray) -> None:
    decoded = decode(cloud(xyz_columns(2) | {'time': values}))
    assert not decoded.points.time_offset.any() and 'bad_time' in decoded.notes


def test_encodes_labels_beside_the_points() -> None:
    points = Points.from_xyz(np.eye(3), frame_id='lidar', stamp=7)
    message = encode(points, extra={'semantic': np.array([1, 2, 3], np.uint16)})
    assert [(field.name, field.offset, field.datatype) for field in message.fields] == [
        ('x', 0, 7), ('y', 4, 7), ('z', 8, 7), ('intensity', 12, 7), ('semantic', 16, 4)]
    assert (message.point_step, message.row_step, len(message.data)) == (18, 54, 54)
    with pytest.raises(InputError):
        encode(points, extra={'semantic': np.zeros(2, np.uint16)})
    with pytest.raises(InputError):
        encode(points, extra={'semantic': np.zeros(3, np.int64)})


@pytest.mark.parametrize('bad', [{'max_points': 0}, {'max_range': 0.}, {'max_range': np.nan},
                                 {'intensity_scale': -1.}])
def test_options_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        DecodeOptions(**bad)
