"""Images are read exactly or refused by name: nothing is picked from a picture that lies."""

from __future__ import annotations

from array import array
import copy
from types import SimpleNamespace
import warnings

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
from pictures import camera
from pictures import color_image
from pictures import colored_cloud
from pictures import header
from pictures import image
from pictures import ORDERS
import pytest

from eq_core.errors import InputError
from eq_ros.colored_points import decode_colored
from eq_ros.images import decode_camera
from eq_ros.images import decode_color
from eq_ros.images import decode_depth
from eq_ros.images import decode_view

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (4, 6, 3), np.uint8)
MILLIMETRES = RNG.integers(400, 900, (4, 6), np.uint16)


def view(**changes):
    """A sound view; changes name attributes of a message, as depth__step."""
    messages = {'depth': image(MILLIMETRES, '16UC1'), 'color': color_image(RGB),
                'info': camera(6, 4)}
    for name, value in changes.items():
        message, _, attribute = name.partition('__')
        setattr(messages[message], attribute, value)
    return messages


@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize('padding', [0, 3])
def test_depth_of_either_unit_and_byte_order_is_read_exactly(big, padding):
    expected = MILLIMETRES * .001
    for pixels, encoding in ((MILLIMETRES, '16UC1'), (expected.astype(np.float32), '32FC1')):
        found = decode_depth(image(pixels, encoding, padding, big))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize('encoding', ORDERS)
def test_colours_of_every_encoding_are_red_green_blue(encoding, padding):
    message = color_image(RGB, encoding, padding=padding)
    before = message.data[:]
    expected = RGB[..., [0] * 3] if encoding == 'mono8' else RGB
    np.testing.assert_allclose(decode_color(message), expected / 255, atol=1e-7)
    assert message.data == before


@pytest.mark.parametrize('value', [0., np.nan, np.inf, -np.inf, -.5, 1e30])
def test_depth_that_says_nothing_is_not_seen(value):
    depth = np.full((4, 6), .5, np.float32)
    depth[1, 2] = value
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        seen = decode_view(image(depth, '32FC1'), color_image(RGB), camera(6, 4))
    assert len(seen.points()[0]) == 23
    with pytest.raises(InputError, match='no pixel of the depth image is seen') as refused:
        decode_depth(image(np.full((4, 6), value, np.float32), '32FC1'))
    assert refused.value.reason == 'bad_image'


def test_a_view_is_where_its_camera_sees_it():
    depth = np.full((4, 6), .5, np.float32)
    seen = decode_view(image(depth, '32FC1', stamp=7 * 10**9 + 3), color_image(RGB), camera(6, 4))
    assert (seen.frame_id, seen.stamp) == ('camera_optical', 7 * 10**9 + 3)
    places, colors = seen.points()
    row, column = np.divmod(np.arange(24), 6)
    np.testing.assert_allclose(places, np.stack(
        [(column - 2.5) / 50 * .5, (row - 1.5) / 50 * .5, np.full(24, .5)], -1), atol=1e-7)
    np.testing.assert_allclose(colors, RGB.reshape(-1, 3) / 255, atol=1e-7)


def region(**values):
    return SimpleNamespace(**{'x_offset': 0, 'y_offset': 0, 'height': 0, 'width': 0, **values})


LIES = {
    '8UC1': {'depth__encoding': '8UC1'}, 'jpeg': {'color__encoding': 'jpeg'},
    "''": {'color__encoding': ''}, 'step 11': {'depth__step': 11}, 'step 17': {'color__step': 17},
    'step 0': {'depth__step': 0}, '2147483648 bytes': {'depth__height': 2**27, 'depth__step': 16},
    '0 x 4': {'depth__width': 0}, '6 x 0': {'color__height': 0},
    'is_bigendian of the depth image is 7': {'depth__is_bigendian': 7},
    'need 48 bytes of data, got 40': {'depth__data': array('B', bytes(40))},
    'got 80': {'color__data': array('B', bytes(80))}, 'contiguous bytes': {'depth__data': [1, 2]},
    '7 x 4 pixels': {'info__width': 7}, '6 x 5 pixels': {'info__height': 5},
    'K of camera_info must be finite with positive': {'info__k': np.zeros(9)},
    'nan': {'info__k': np.array([np.nan, 0, 2, 0, 50, 2, 0, 0, 1])},
    'inf': {'info__k': np.array([50, 0, np.inf, 0, 50, 2, 0, 0, 1])},
    '-50': {'info__k': np.array([-50., 0, 2, 0, 50, 2, 0, 0, 1])},
    'skew': {'info__k': np.array([50, 3., 2, 0, 50, 2, 0, 0, 1])},
    'rectified images are needed': {'info__d': array('d', [.1, 0, 0, 0, 0])},
    'distortion': {'info__d': array('d', [np.nan, 0, 0, 0, 0])},
    'equidistant': {'info__distortion_model': 'equidistant'},
    'binning 2 x 0': {'info__binning_x': 2},
    'region of 3 x 4': {'info__roi': region(width=3, height=4)},
    'region of 6 x 4 pixels at': {'info__roi': region(x_offset=1, width=6, height=4)},
    'the colour image is black': {'color__data': array('B', bytes(72))},
    'brighter than 8 of 255': {'color__data': array('B', [8] * 72)},
}


@pytest.mark.parametrize(('text', 'change'), LIES.items())
def test_images_that_lie_are_refused_by_the_value(text, change):
    with pytest.raises(InputError, match=text) as refused:
        decode_view(**view(**change))
    assert refused.value.reason == 'bad_image'


def test_sizes_and_frames_of_a_view_must_agree():
    with pytest.raises(InputError, match='depth image is 6 x 4 .* colour image 5 x 4') as refused:
        decode_view(**{**view(), 'color': color_image(RGB[:, :5])})
    assert refused.value.reason == 'bad_image'
    for name in ('depth', 'color', 'info'):
        for frame_id in ('', 'other_camera'):
            with pytest.raises(InputError, match='frame') as refused:
                decode_view(**view(**{f'{name}__header': header(frame_id)}))
            assert refused.value.reason == 'frame'


def test_a_camera_is_read_from_k_or_for_rectified_images_from_p():
    bent = camera(6, 4, d=array('d', [.3, 0, 0, 0, 0]),
                  p=np.array([40., 0, 2, 0, 0, 41, 1, 0, 0, 0, 1, 0]))
    np.testing.assert_array_equal(decode_camera(bent, (4, 6), True),
                                  [[40, 0, 2], [0, 41, 1], [0, 0, 1]])
    np.testing.assert_array_equal(decode_camera(camera(6, 4), (4, 6)),
                                  [[50, 0, 2.5], [0, 50, 1.5], [0, 0, 1]])
    assert decode_camera(camera(6, 4, d=array('d', [1e-6] * 5)), (4, 6)).shape == (3, 3)
    whole = camera(6, 4, roi=region(width=6, height=4), binning_x=1, binning_y=1)
    assert decode_camera(whole, (4, 6)).shape == (3, 3)
    bent.p[3] = -4.     # the right eye of a pair
    with pytest.raises(InputError, match='baseline'):
        decode_camera(bent, (4, 6), True)


NUMBERS = st.sampled_from([-1, 0, 1, 2, 4, 6, 12, 18, 2**31, 2.5, None])
CHANGES = st.dictionaries(
    st.sampled_from([f'{message}__{name}' for message in ('depth', 'color') for name in (
        'height', 'width', 'step', 'is_bigendian')] + ['info__height', 'info__width']),
    NUMBERS, max_size=4)


@settings(max_examples=200, deadline=None)
@given(CHANGES, st.sampled_from(['16UC1', '32FC1', 'rgb8', 'mono8', 'x']),
       st.binary(max_size=80) | st.none(), st.lists(st.floats(), min_size=9, max_size=9))
def test_any_image_is_read_or_refused_as_bad_image(changes, encoding, data, matrix):
    messages = copy.deepcopy(view(**changes))
    if data is not None:
        messages['depth'].encoding, messages['depth'].data = encoding, data
    messages['info'].k = np.array(matrix)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        try:
            seen = decode_view(**messages)
        except InputError as error:
            assert error.reason == 'bad_image'
        else:
            assert seen.color.shape == (*seen.depth.shape, 3)


@pytest.mark.parametrize(('name', 'datatype'), [('rgb', 7), ('rgba', 6), ('rgb', 6)])
@pytest.mark.parametrize('big', [False, True])
def test_colours_of_points_are_read_from_their_bits(name, datatype, big):
    xyz = RNG.uniform(-1, 1, (24, 3)).astype(np.float32)
    rgb = RGB.reshape(-1, 3).copy()
    xyz[5, 1], xyz[9] = np.nan, np.inf
    rgb[3] = 255, 255, 255      # as a float these bits are a NaN
    places, colors = decode_colored(colored_cloud(xyz, rgb, name, datatype, big))
    kept = np.delete(np.arange(24), [5, 9])
    np.testing.assert_array_equal(places, xyz[kept])
    np.testing.assert_allclose(colors, rgb[kept] / 255, atol=1e-7)


@pytest.mark.parametrize(('change', 'reason', 'text'), [
    ({'xyz': np.full((2, 3), np.nan)}, 'bad_image', 'no point of the cloud is finite'),
    ({'xyz': np.zeros((0, 3)), 'rgb': RGB[0, :0]}, 'bad_image', 'no points'),
    ({'rgb': np.zeros((2, 3), np.uint8)}, 'bad_image', 'black'),
    ({'name': 'intensity'}, 'missing_field', 'found x, y, z, intensity'),
    ({'datatype': 4}, 'bad_field', 'four bytes')])
def test_clouds_without_colour_or_points_are_refused(change, reason, text):
    with pytest.raises(InputError, match=text) as refused:
        decode_colored(colored_cloud(**{'xyz': np.ones((2, 3)), 'rgb': RGB[0, :2], **change}))
    assert refused.value.reason == reason
