"""A late scan, a repetition and a new beginning are told from the next scan."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eq_core.errors import InputError
from eq_ros.scan_order import Order
from eq_ros.scan_order import ScanOrder

SECOND = 10**9


def order_of(stamp: int, order: ScanOrder) -> Order | None:
    """None for a scan that is late."""
    try:
        return order.judge(stamp)
    except InputError as error:
        assert error.reason == 'out_of_order'
        return None


def judge(*stamps: float) -> list[Order | None]:
    order = ScanOrder(max_disorder=.5, max_gap=3.)
    return [order_of(round(stamp * SECOND), order) for stamp in stamps]


def test_each_kind_of_step_has_its_name() -> None:
    assert judge(10., 10.1, 10.1, 10., 9.7, 10.2) == [
        Order.FIRST, Order.NEXT, None, None, None, Order.NEXT]
    assert judge(10., 9.4, 9.5) == [Order.FIRST, Order.BACK, Order.NEXT]
    assert judge(10., 13.1, 13.2) == [Order.FIRST, Order.AHEAD, Order.NEXT]
    assert judge(0., .1, 0.) == [Order.FIRST, Order.NEXT, None]


def test_begin_makes_any_stamp_the_first() -> None:
    order = ScanOrder(.5, 3.)
    order.judge(10 * SECOND)
    order.begin()
    assert order.judge(10 * SECOND) is Order.FIRST
    assert order_of(10 * SECOND, order) is None


@given(st.lists(st.integers(0, 40 * SECOND)))
def test_scans_of_one_sequence_are_strictly_in_order(stamps: list[int]) -> None:
    order, newest = ScanOrder(.5, 3.), None
    for stamp in stamps:
        kind = order_of(stamp, order)
        if kind is Order.NEXT:
            assert newest is not None and stamp > newest
        if kind is not None:
            newest = stamp
