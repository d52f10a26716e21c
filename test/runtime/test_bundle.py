"""A bundle that is not exactly as it was written is refused, in one line that says why."""

from __future__ import annotations

from collections.abc import Callable
import io
import json
import os
from pathlib import Path
import pickle
import shutil
from typing import Any
import zipfile

from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest
import safetensors.numpy

from eq_core.errors import BundleError
from eq_core.runtime import Bundle
from eq_core.runtime import Manifest
from eq_core.runtime import write_bundle
from eq_core.runtime.bundle import seal

FILES = ['golden.npz', 'manifest.json', 'model.onnx', 'model.safetensors']
Make = Callable[..., Path]
Reseal = Callable[..., None]


def refused(path: Path, *parts: str) -> str:
    """Loads, expects a refusal, and returns its text."""
    with pytest.raises(BundleError) as caught:
        Bundle.load(path)
    text = str(caught.value)
    assert '\n' not in text and str(path) in text
    for part in parts:
        assert part in text
    return text


def test_what_was_written_is_read(tiny_bundle: Make, tiny_inputs: dict) -> None:
    bundle = Bundle.load(str(tiny_bundle()))
    inputs, outputs = bundle.golden()
    assert list(inputs) == ['pillar_points', 'pillar_index']
    assert list(outputs) == ['height', 'offset', 'axis']
    np.testing.assert_array_equal(inputs['pillar_points'], tiny_inputs['pillar_points'])
    assert bundle.manifest.classes == ('car',)
    assert bundle.manifest.group.grid_elements() == ((1, False), (2, False), (3, False))
    assert sorted(bundle.manifest.sha256) == sorted(set(FILES) - {'manifest.json'})
    assert Manifest.from_dict(bundle.manifest.to_dict()) == bundle.manifest
    np.testing.assert_array_equal(bundle.weights()['scale'], [0.5])


def test_a_bundle_can_be_written_again(loaded: Bundle, tmp_path: Path) -> None:
    copy = write_bundle(tmp_path / 'copy', loaded.read('model.onnx'), loaded.weights(),
                        *loaded.golden(), loaded.fields())
    assert copy.checksum == loaded.checksum


def test_weights_of_every_shape_are_kept(loaded: Bundle, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    weights = {'scalar': np.array(3, np.int64), 'view': random.normal(size=(4, 5)).T[::2],
               'none': np.zeros((0, 2), np.float32)}
    bundle = write_bundle(tmp_path / 'copy', loaded.read('model.onnx'), weights,
                          *loaded.golden(), loaded.fields())
    assert set(bundle.weights()) == set(weights)
    for name, array in bundle.weights().items():
        assert array.dtype == weights[name].dtype and array.shape == weights[name].shape
        np.testing.assert_array_equal(array, weights[name])


def test_writing_replaces_as_a_whole(loaded: Bundle) -> None:
    before = loaded.checksum
    with pytest.raises(BundleError):
        write_bundle(loaded.path, b'', {'scale': np.array([np.nan])}, *loaded.golden(),
                     loaded.fields())
    assert Bundle.load(loaded.path).checksum == before
    after = write_bundle(loaded.path, loaded.read('model.onnx'), loaded.weights(),
                         *loaded.golden(), loaded.fields(), card='# Tiny')
    assert after.read('card.md') == b'# Tiny'
    assert [file.name for file in loaded.path.parent.iterdir()] == [loaded.path.name]


@settings(deadline=None, max_examples=150,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FILES), place=st.floats(0., 1., exclude_max=True),
       mask=st.integers(1, 255))
def test_no_byte_can_change(loaded: Bundle, name: str, place: float, mask: int) -> None:
    file = loaded.path / name
    good = file.read_bytes()
    bad = bytearray(good)
    bad[int(place * len(bad))] ^= mask
    file.write_bytes(bad)
    try:
        refused(loaded.path)
    finally:
        file.write_bytes(good)


@pytest.mark.parametrize('name', FILES)
def test_no_file_can_be_cut_grown_emptied_or_missing(loaded: Bundle, name: str) -> None:
    file = loaded.path / name
    good = file.read_bytes()
    for bad in (good[:-1], good[:len(good) // 2], good + b' ', b''):
        file.write_bytes(bad)
        refused(loaded.path, name, 'expected', 'found')
    file.unlink()
    refused(loaded.path, name, 'found No such file')
    file.mkdir()
    refused(loaded.path, name, 'found Is a directory')


def test_a_hash_is_checked_again_when_a_file_is_used(loaded: Bundle) -> None:
    (loaded.path / 'model.onnx').write_bytes(b'other')
    with pytest.raises(BundleError, match='sha256'):
        loaded.read('model.onnx')
    with pytest.raises(BundleError, match='not listed'):
        loaded.read('../tiny/model.onnx')


def test_there_must_be_a_directory(tmp_path: Path, loaded: Bundle) -> None:
    refused(tmp_path / 'none', 'expected a bundle directory, found nothing')
    refused(loaded.path / 'model.onnx', 'found a file')


def test_a_file_that_is_not_listed_is_refused(loaded: Bundle) -> None:
    (loaded.path / '.hidden').write_text('not read by anyone')
    Bundle.load(loaded.path)
    (loaded.path / 'model.onnx.data').write_text('external weights')
    refused(loaded.path, 'model.onnx.data')


@pytest.mark.parametrize('suffix', ['.pt', '.pth', '.pkl', '.PTH', '.ckpt'])
def test_a_pickle_is_refused_by_name(loaded: Bundle, tmp_path: Path, suffix: str) -> None:
    lone = tmp_path / f'weights{suffix}'
    lone.write_bytes(b'anything')
    refused(lone, 'pickle', 'write_bundle')
    shutil.copy(lone, loaded.path / f'model{suffix}')
    refused(loaded.path, 'pickle', 'write_bundle')


class Bomb:
    """Leaves a trace if it is ever unpickled."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ('unpickled',)


@pytest.mark.parametrize('name', ['golden.npz', 'model.onnx', 'model.safetensors'])
@pytest.mark.parametrize('form', [*range(2, 6), 'zip', 'npz'])
def test_a_pickle_is_refused_by_its_bytes(
        loaded: Bundle, reseal: Reseal, name: str, form: Any,
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    if form == 'zip':  # as torch.save writes
        with zipfile.ZipFile(buffer, 'w') as archive:
            archive.writestr('archive/data.pkl', pickle.dumps(Bomb()))
    elif form == 'npz':
        np.savez(buffer, **{'input.pillar_points': np.array([Bomb()], object)})
    else:
        buffer.write(pickle.dumps(Bomb(), form))
    (loaded.path / name).write_bytes(buffer.getvalue())
    reseal(loaded.path)
    if form == 'npz' and name == 'model.onnx':
        Bundle.load(loaded.path)  # not a pickle to any reader of graphs; the backend refuses it
    else:
        refused(loaded.path, name)
    assert not (tmp_path / 'unpickled').exists()


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(
        loaded: Bundle, reseal: Reseal, bad: float) -> None:
    weights = {'scale': np.array([0.5], np.float32), 'bias': np.array([1., bad], np.float32)}
    (loaded.path / 'model.safetensors').write_bytes(safetensors.numpy.save(weights))
    reseal(loaded.path)
    refused(loaded.path, 'model.safetensors', "1 NaN or infinite in 'bias'")


@pytest.mark.parametrize('cut', [0, 4, 20, -1])
def test_malformed_weights_are_refused_even_with_the_right_hash(
        loaded: Bundle, reseal: Reseal, cut: int) -> None:
    file = loaded.path / 'model.safetensors'
    file.write_bytes(file.read_bytes()[:cut])
    reseal(loaded.path)
    refused(loaded.path, 'model.safetensors', 'expected safetensors')


@pytest.mark.parametrize('change', [
    lambda inputs, outputs: inputs.pop('pillar_index'),
    lambda inputs, outputs: outputs.update(extra=np.zeros(1)),
    lambda inputs, outputs: outputs.update(height=outputs['height'][..., :-1]),
    lambda inputs, outputs: outputs.update(height=outputs['height'].astype(np.float64)),
    lambda inputs, outputs: outputs['height'].fill(np.nan),
])
def test_a_golden_example_that_does_not_fit_is_refused(
        loaded: Bundle, reseal: Reseal, change: Callable[..., None]) -> None:
    inputs, outputs = loaded.golden()
    change(inputs, outputs)
    np.savez(loaded.path / 'golden.npz', **{f'input.{name}': v for name, v in inputs.items()},
             **{f'output.{name}': v for name, v in outputs.items()})
    reseal(loaded.path)
    refused(loaded.path, 'golden.npz', 'expected', 'found')


@pytest.mark.parametrize(('field', 'value'), [
    ('unknown', 1), ('name', ''), ('name', 5), ('opset', 0), ('opset', True), ('opset', '20'),
    ('license', None), ('classes', 'car'), ('classes', [1]), ('config', []), ('training', None),
    ('group', {'name': 'C4', 'order': 8}), ('group', {'name': 'D4', 'order': 4}),
    ('group', {'name': 'C0', 'order': 0}), ('group', {'name': 4, 'order': 4}),
    ('group', {'name': 'C4'}), ('group', 'C4'),
    ('group', {'name': 'C4', 'order': 4, 'more': 1}), ('tolerance', {}),
    ('tolerance', {'fp32': {'golden': 1e-4}}), ('tolerance', {'fp32': 1e-4}),
    ('tolerance', {'fp32': {'golden': 0.5, 'equivariance': 1e-4}}),
    ('tolerance', {'fp32': {'golden': 0., 'equivariance': 1e-4}}),
    ('tolerance', {'fp32': {'golden': 1e-4, 'equivariance': 1e-4},
                   'fp99': {'golden': 1e-4, 'equivariance': 1e-4}}),
    ('inputs', []), ('inputs', {}), ('outputs', [1]), ('sha256', {}), ('sha256', []),
])
def test_a_manifest_field_that_is_wrong_is_refused(
        loaded: Bundle, reseal: Reseal, field: str, value: Any) -> None:
    reseal(loaded.path, lambda body: body.update({field: value}))
    refused(loaded.path, 'manifest.json')


@pytest.mark.parametrize('field', [
    'name', 'task', 'sha256', 'inputs', 'outputs', 'group', 'tolerance', 'config', 'classes',
    'opset', 'license', 'training'])
def test_no_manifest_field_can_be_left_out(loaded: Bundle, reseal: Reseal, field: str) -> None:
    reseal(loaded.path, lambda body: body.pop(field))
    refused(loaded.path, 'manifest.json', 'missing', field)


@pytest.mark.parametrize(('field', 'value'), [
    ('name', ''), ('dtype', 'float31'), ('dtype', None), ('shape', [1, -1, 4, 4]),
    ('shape', [1, 1.5, 4, 4]), ('shape', 4), ('shape', [1, 1, 4, 5]), ('extra', 1),
    ('representation', {'kind': 'magic'}), ('name', 'offset')])
def test_a_tensor_that_is_wrong_is_refused(
        loaded: Bundle, reseal: Reseal, field: str, value: Any) -> None:
    reseal(loaded.path, lambda body: body['outputs'][0].update({field: value}))
    refused(loaded.path, 'manifest.json')


@pytest.mark.parametrize('name', [
    '../outside', '/etc/hostname', 'sub/file', '..', '.', '', 'manifest.json', 'a\\b', '.hidden'])
def test_a_file_name_cannot_leave_the_bundle(loaded: Bundle, reseal: Reseal, name: str) -> None:
    reseal(loaded.path, lambda body: body['sha256'].update({name: '0' * 64}))
    refused(loaded.path, 'manifest.json', repr(name))


@pytest.mark.parametrize('spelling', [
    lambda data: json.dumps(json.loads(data)).encode(),
    lambda data: data.replace(b'"tiny"', b'"other"'),
    lambda data: data.replace(b'"schema_version": 1', b'"schema_version": 2'),
    lambda data: data.replace(b'"seed": 0', b'"seed": NaN'),
    lambda data: data.replace(b'"name": "tiny"', b'"name": "x", "name": "tiny"'),
    lambda data: b'[' * 100_000, lambda data: b'[]', lambda data: b'\xff', lambda data: b'null',
])
def test_a_manifest_edited_by_hand_is_refused(
        loaded: Bundle, spelling: Callable[[bytes], bytes]) -> None:
    file = loaded.path / 'manifest.json'
    file.write_bytes(spelling(file.read_bytes()))
    refused(loaded.path, 'manifest.json')


def test_what_json_cannot_say_is_refused() -> None:
    for value in (float('nan'), np.float32(1), {1, 2}):
        with pytest.raises(BundleError, match='JSON'):
            seal({'config': value})


def test_every_tensor_needs_a_law(loaded: Bundle, tmp_path: Path) -> None:
    fields = loaded.fields()
    del fields['representations']['height']
    with pytest.raises(BundleError, match='height'):
        write_bundle(tmp_path / 'other', b'', {}, *loaded.golden(), fields)
    assert not (tmp_path / 'other').exists()
