"""Graphs of lower precision: made, measured, accepted, and refused when they are wrong."""

from __future__ import annotations

from collections.abc import Callable
import json
from pathlib import Path
import shutil

import numpy as np
import pytest

from eq_core.errors import BackendError
from eq_core.errors import BundleError
from eq_core.errors import ConfigError
from eq_core.runtime import Bundle
from eq_core.runtime import open_session
from eq_core.runtime import write_bundle
from eq_core.runtime.acceptance import error_measure
from eq_core.runtime.acceptance import relative_rms
from eq_eval.cli.verify import verify_bundle
from eq_navigation.costs import LearnedCosts
from eq_perception.detection.detector import Detector
from eq_perception.panoptic.segmenter import Segmenter

onnx = pytest.importorskip('onnx', reason='ONNX missing')

from eq_eval.quantization.accuracy import record_accuracy  # noqa: E402
from eq_eval.quantization.half import to_half  # noqa: E402
from eq_eval.quantization.int8 import integer_layers  # noqa: E402
from eq_eval.quantization.int8 import to_int8  # noqa: E402
from eq_eval.quantization.precisions import add_precisions  # noqa: E402
from eq_eval.quantization.precisions import Quantization  # noqa: E402
from eq_eval.quantization.precisions import tolerance  # noqa: E402
from eq_eval.quantization.probing import Probe  # noqa: E402

Reseal = Callable[..., None]
SHIPPED = ('lidar_detector', 'panoptic_segmenter')
SIZE, FIELDS = 16, 3


# --- a precision is asked for -----------------------------------------------------------------

def test_an_unknown_precision_is_refused(loaded: Bundle) -> None:
    with pytest.raises(ConfigError, match='precision must be one of'):
        open_session(loaded, precision='fp12')


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_a_graph_that_the_bundle_has_not_is_refused(loaded: Bundle, backend: str) -> None:
    pytest.importorskip(backend)
    with pytest.raises(BackendError, match='expected model.int8.onnx for int8, found'):
        open_session(loaded, [backend], precision='int8')
    assert 'model.int8.onnx' in verify_bundle(loaded.path, backend, 1, 'int8')['problems'][0]


def test_facades_and_commands_run_the_graph_that_is_asked_for(repository: Path) -> None:
    models = repository / 'models'
    for facade, name in ((Detector, SHIPPED[0]), (Segmenter, SHIPPED[1])):
        assert facade.from_bundle(models / name, ['onnxruntime'],
                                  precision='int8').session.precision == 'int8'
    assert verify_bundle(models / SHIPPED[0], 'onnxruntime', 1, 'int8')['precision'] == 'int8'
    with pytest.raises(BackendError, match='expected model.fp16.onnx for fp16'):
        LearnedCosts.from_bundle(models / 'maze_planner', ['onnxruntime'], precision='fp16')


# --- the shipped graphs -----------------------------------------------------------------------

@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
@pytest.mark.parametrize('precision', ['fp16', 'int8'])
@pytest.mark.parametrize('name', SHIPPED)
def test_shipped_graphs_are_accepted_and_turn_with_their_input(
        repository: Path, name: str, precision: str, backend: str) -> None:
    pytest.importorskip(backend)
    bundle = Bundle.load(repository / 'models' / name)
    record = bundle.manifest.training['precisions'][precision]
    with open_session(bundle, [backend], precision=precision) as session:
        stats = session.stats()     # accepted: golden and equivariance are in tolerance
        assert session.precision == stats['precision'] == precision
        assert stats['equivariance_error'] <= bundle.manifest.tolerance[precision].equivariance
    assert record['accuracy']['cost'] <= .01
    assert record['bytes'] == len(bundle.read(f'model.{precision}.onnx'))


def test_integer_sums_keep_the_symmetry_where_their_inputs_are_exact() -> None:
    graph, group = _network(), [(turns, False) for turns in (1, 2, 3)]
    rng = np.random.default_rng(1)
    example = {'x': rng.standard_normal((1, 4 * FIELDS, SIZE, SIZE)).astype(np.float32)}
    layers = integer_layers(onnx.load_model_from_string(graph))
    quantized = to_int8(graph, [example])
    probe = Probe(quantized, ['between'])
    upright = probe(example)['between']
    for turns, _ in group:
        # A regular field: quarter turns permute the four copies of each field as well.
        turned = {'x': _turn(example['x'], turns)}
        np.testing.assert_array_equal(probe(turned)['between'], _turn(upright, turns))
    assert layers == ['first', 'second']        # the head answers and stays float32


@pytest.mark.parametrize('poison', ['kernel', 'scale'])
def test_a_poisoned_integer_graph_is_refused(
        repository: Path, tmp_path: Path, reseal: Reseal, poison: str) -> None:
    path = tmp_path / 'poisoned'
    shutil.copytree(repository / 'models' / 'lidar_detector', path)
    graph = onnx.load_model(path / 'model.int8.onnx')
    kind = onnx.TensorProto.INT8 if poison == 'kernel' else onnx.TensorProto.FLOAT
    item = next(item for item in graph.graph.initializer if item.data_type == kind
                and (len(item.dims) == 4 if poison == 'kernel' else not item.dims))
    value = onnx.numpy_helper.to_array(item).copy()
    if poison == 'kernel':
        value[1] = 127      # one of the four turned copies
    else:
        value *= 1.2
    item.CopyFrom(onnx.numpy_helper.from_array(value, item.name))
    (path / 'model.int8.onnx').write_bytes(graph.SerializeToString())
    reseal(path)
    with pytest.raises(BackendError, match='golden error .* exceeds'):
        open_session(Bundle.load(path), ['onnxruntime'], precision='int8')
    open_session(Bundle.load(path), ['onnxruntime']).close()    # fp32 is as it was


# --- how they are made ------------------------------------------------------------------------

def test_integers_have_scales_and_no_zero_points() -> None:
    rng = np.random.default_rng(0)
    examples = [{'x': rng.standard_normal((1, 4 * FIELDS, SIZE, SIZE)).astype(np.float32)}
                for _ in range(4)]
    graph = _network()
    quantized = onnx.load_model_from_string(to_int8(graph, examples))
    onnx.checker.check_model(quantized)
    constants = {item.name: onnx.numpy_helper.to_array(item)
                 for item in quantized.graph.initializer}
    pairs = [node for node in quantized.graph.node
             if node.op_type in ('QuantizeLinear', 'DequantizeLinear')]
    assert pairs and all(not constants[node.input[2]].any() for node in pairs)
    kernels = [value for value in constants.values() if value.dtype == np.int8 and value.ndim == 4]
    assert len(kernels) == 2 and all(np.abs(kernel).max() == 127 for kernel in kernels)
    assert not any(item.data_type == onnx.TensorProto.INT32
                   for item in quantized.graph.initializer)     # biases stay float32
    wanted, found = Probe(graph, ['y'])(examples[0]), Probe(
        quantized.SerializeToString(), ['y'])(examples[0])
    assert 0 < relative_rms(found['y'], wanted['y']) < .05


def test_first_layers_stay_float_when_told() -> None:
    model = onnx.load_model_from_string(_network())
    assert integer_layers(model, 1) == ['second']
    assert integer_layers(model, 5) == []


def test_corrected_biases_keep_the_means_of_mostly_empty_scenes() -> None:
    graph = _network(bias=.05)
    rng = np.random.default_rng(0)
    examples = []
    for _ in range(4):
        x = np.zeros((1, 4 * FIELDS, SIZE, SIZE), np.float32)
        x[..., 5, 5] = 20 * rng.standard_normal(4 * FIELDS)     # makes large steps
        examples.append({'x': x})
    wanted = Probe(graph, ['y']).means(examples)['y']
    found = Probe(to_int8(graph, examples), ['y']).means(examples)['y']
    np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())


def test_half_precision_keeps_the_types_of_inputs_and_outputs() -> None:
    half = onnx.load_model_from_string(to_half(_network()))
    types = {item.type.tensor_type.elem_type for item in (*half.graph.input, *half.graph.output)}
    assert types == {onnx.TensorProto.FLOAT}
    assert {item.data_type for item in half.graph.initializer
            if len(item.dims) == 4} == {onnx.TensorProto.FLOAT16}


def test_a_bundle_gets_a_graph_with_a_tolerance_that_was_measured(loaded: Bundle) -> None:
    before = loaded.read('model.onnx'), loaded.golden()
    record = add_precisions(loaded.path, Quantization(['fp16']))['fp16']
    bundle = Bundle.load(loaded.path)
    limit = bundle.manifest.tolerance['fp16']
    assert 0 < record['golden_error'] < limit.golden == limit.equivariance <= .1
    assert bundle.read('model.onnx') == before[0]
    for name, value in bundle.golden('fp16')[1].items():
        np.testing.assert_array_equal(value, before[1][1][name])
    assert open_session(bundle, ['onnxruntime'], precision='fp16').precision == 'fp16'
    with pytest.raises(ConfigError, match='int8 needs calibration'):
        add_precisions(loaded.path, Quantization(['int8']))
    with pytest.raises(ConfigError, match="must be one of .* got .'fp32'"):
        Quantization(['fp32'])


def test_integers_are_compared_with_answers_of_their_own(
        loaded: Bundle, tiny_graph: Callable[..., bytes], reseal: Reseal) -> None:
    inputs, outputs = loaded.golden()
    own = {name: 1.5 * value for name, value in outputs.items()}
    fields = loaded.fields()
    fields['tolerance'] |= {'int8': {'golden': .01, 'equivariance': .01}}
    bundle = write_bundle(loaded.path, loaded.read('model.onnx'), loaded.weights(), inputs,
                          outputs, fields, graphs={'int8': tiny_graph()}, answers={'int8': own})
    for name, value in bundle.golden('int8')[1].items():
        np.testing.assert_array_equal(value, own[name])
    with pytest.raises(BackendError, match='golden error .* exceeds 0.01'):
        open_session(bundle, ['onnxruntime'], precision='int8')
    np.savez(bundle.path / 'golden.int8.npz', **{'output.height': own['height']})
    reseal(bundle.path)
    with pytest.raises(BundleError, match='golden.int8.npz: expected'):
        Bundle.load(bundle.path)


def test_one_cell_that_was_rounded_the_other_way_weighs_little_in_integers() -> None:
    expected = np.ones((1, 1, 64, 64))
    value = expected.copy()
    value[0, 0, 3, 3] = 1.5
    assert error_measure('fp16')(value, expected) == .5
    assert error_measure('int8')(value, expected) == pytest.approx(.5 / 64)


@pytest.mark.parametrize(('error', 'limit'), [(0., 1e-3), (4e-4, 1e-3), (.004, .01), (.02, .05),
                                              (.025, .05), (.05, .1)])
def test_a_tolerance_is_twice_the_error_rounded_up(error: float, limit: float) -> None:
    assert tolerance(error, 'int8') == pytest.approx(limit)


def test_an_error_too_large_to_tell_right_from_wrong_is_refused() -> None:
    with pytest.raises(ConfigError, match='int8 has an error of 0.06.* at most 0.1'):
        tolerance(.06, 'int8')


def test_stored_evaluations_tell_what_a_precision_costs(loaded: Bundle, tmp_path: Path) -> None:
    add_precisions(loaded.path, Quantization(['fp16']))
    fields = Bundle.load(loaded.path).fields() | {'task': 'lidar_detection'}
    write_bundle(loaded.path, loaded.read('model.onnx'), loaded.weights(), *loaded.golden(),
                 fields, '# tiny\n', {'fp16': Bundle.load(loaded.path).read('model.fp16.onnx')})

    def store(name: str, score: float, **more: object) -> None:
        result = {'model': 'tiny', 'mAP': score, 'num_scans': 9, 'data': 'test_worlds',
                  'backend': 'openvino'}
        (tmp_path / f'{name}.json').write_text(json.dumps({'result': result | more}))
    with pytest.raises(ConfigError, match='expected a stored evaluation .*eval_detector_fp32'):
        record_accuracy(loaded.path, tmp_path)
    store('eval_detector_fp32', .5)
    assert 'accuracy' not in record_accuracy(loaded.path, tmp_path)['fp16']     # not evaluated
    store('eval_detector_fp16', .49, num_scans=8)
    with pytest.raises(ConfigError, match='differ in precision alone, got num_scans 8 and 9'):
        record_accuracy(loaded.path, tmp_path)
    store('eval_detector_fp16', .49)
    for _ in range(2):      # once more replaces
        found = record_accuracy(loaded.path, tmp_path)['fp16']['accuracy']
        assert found['cost'] == pytest.approx(.01) and found['metric'] == 'mAP'
        card = Bundle.load(loaded.path).read('card.md').decode()
        assert card.startswith('# tiny\n') and card.count('fp32 0.5000, fp16 0.4900.') == 1


def _network(bias: float = .3) -> bytes:
    """Two regular layers of C4, which share kernels and biases, and a head."""
    rng, helper = np.random.default_rng(0), onnx.helper
    width, real = 4 * FIELDS, onnx.TensorProto.FLOAT

    def regular() -> np.ndarray:
        # The copy that is turned t times reads the copies of its inputs turned likewise.
        base = rng.standard_normal((FIELDS, FIELDS, 4, 3, 3)) / 6
        kernel = np.stack([np.roll(np.rot90(base, -turn, (3, 4)), turn, 2)
                           for turn in range(4)], 1)
        return kernel.reshape(width, width, 3, 3).astype(np.float32)
    weights = {'w1': regular(), 'w2': regular(),
               'b1': np.repeat(bias * rng.standard_normal(FIELDS), 4).astype(np.float32),
               'b2': np.repeat(bias * rng.standard_normal(FIELDS), 4).astype(np.float32),
               'w3': rng.standard_normal((2, width, 1, 1)).astype(np.float32),
               'b3': np.zeros(2, np.float32)}
    nodes = [helper.make_node('Conv', ['x', 'w1', 'b1'], ['a'], name='first', pads=[1] * 4),
             helper.make_node('Relu', ['a'], ['between'], name='bend'),
             helper.make_node('Conv', ['between', 'w2', 'b2'], ['c'], name='second', pads=[1] * 4),
             helper.make_node('Relu', ['c'], ['d'], name='bend_again'),
             helper.make_node('Conv', ['d', 'w3', 'b3'], ['y'], name='head')]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, 'regular', [value('x', real, [1, width, SIZE, SIZE])],
        [value('y', real, [1, 2, SIZE, SIZE])],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()])
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20)],
                                   ir_version=10).SerializeToString())


def _turn(field: np.ndarray, turns: int) -> np.ndarray:
    """Quarter turns of a regular field: the plane turns, and the four copies move on."""
    split = np.rot90(field, -turns, (2, 3)).reshape(1, FIELDS, 4, SIZE, SIZE)
    return np.ascontiguousarray(np.roll(split, turns, 2).reshape(field.shape))
