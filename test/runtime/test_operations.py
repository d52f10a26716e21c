"""Operations are counted as they are done by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip('torch')
pytest.importorskip('onnx')

from onnx import helper
from onnx import TensorProto

from eq_core.errors import InputError
from eq_eval.operations import gmac
from eq_eval.training.yardstick import CANVAS
from eq_eval.training.yardstick import PointPillarsBackbone
from eq_eval.training.yardstick import yardstick_graph


def graph(operator: str, first: list[int | str], second: list[int], out: list[int],
          **attributes: object) -> bytes:
    """A graph of one operator."""
    made = helper.make_graph(
        [helper.make_node(operator, ['a', 'b'], ['c'], **attributes)], 'one',
        [helper.make_tensor_value_info('a', TensorProto.FLOAT, first),
         helper.make_tensor_value_info('b', TensorProto.FLOAT, second)],
        [helper.make_tensor_value_info('c', TensorProto.FLOAT, out)])
    return helper.make_model(made, opset_imports=[helper.make_opsetid('', 20)]).SerializeToString()


@pytest.mark.parametrize(('made', 'macs'), [
    (lambda: graph('MatMul', [7, 5], [5, 3], [7, 3]), 7 * 5 * 3),
    (lambda: graph('MatMul', [2, 7, 5], [2, 5, 3], [2, 7, 3]), 2 * 7 * 5 * 3),
    (lambda: graph('Gemm', [7, 5], [3, 5], [7, 3], transB=1), 7 * 5 * 3),
    (lambda: graph('Gemm', [5, 7], [5, 3], [7, 3], transA=1), 7 * 5 * 3),
    (lambda: graph('Conv', [1, 8, 20, 30], [6, 8, 3, 3], [1, 6, 20, 30], pads=[1, 1, 1, 1]),
     20 * 30 * 6 * 8 * 9),
    (lambda: graph('Conv', [1, 8, 20, 30], [6, 4, 2, 2], [1, 6, 10, 15], strides=[2, 2], group=2),
     10 * 15 * 6 * 4 * 4),
    (lambda: graph('ConvTranspose', [1, 8, 10, 15], [8, 6, 2, 2], [1, 6, 20, 30], strides=[2, 2]),
     10 * 15 * 8 * 6 * 4),
    (lambda: graph('Add', [7, 5], [7, 5], [7, 5]), 0)])
def test_one_operator(made: Callable[[], bytes], macs: int) -> None:
    assert gmac(made()) * 1e9 == pytest.approx(macs)


def test_what_is_not_known_is_not_guessed() -> None:
    with pytest.raises(InputError, match="shape of 'a' of MatMul"):
        gmac(graph('MatMul', ['rows', 5], [5, 3], [7, 3]))


def test_the_yardstick_is_of_the_published_size() -> None:
    weights = sum(each.numel() for each in PointPillarsBackbone().parameters())
    assert weights / 1e6 == pytest.approx(4.83, abs=.01)
    small = (CANVAS[0], 32, 48)       # operations go with the area, exactly
    scale = CANVAS[1] * CANVAS[2] / (small[1] * small[2])
    assert scale * gmac(yardstick_graph(small)) == pytest.approx(34.2, abs=.1)
