"""Laws of the books, the slot and the guard: nothing vanishes, nothing escapes."""

from __future__ import annotations

import itertools
import threading
import time

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import pytest

from eq_core.errors import BackendError
from eq_core.errors import InputError
from eq_core.errors import OutputError
from eq_ros.accounting import Accounting
from eq_ros.accounting import Ticket
from eq_ros.guard import Guard
from eq_ros.guard import one_line
from eq_ros.guard import ThrottledLog
from eq_ros.health import Health
from eq_ros.health import Level
from eq_ros.keep_latest import KeepLatest


class Lines:
    """A logger that remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def debug(self, message: str) -> None:
        self.lines.append(('debug', message))

    def info(self, message: str) -> None:
        self.lines.append(('info', message))

    def warning(self, message: str) -> None:
        self.lines.append(('warning', message))

    def error(self, message: str) -> None:
        self.lines.append(('error', message))

    def at(self, level: str) -> list[str]:
        return [text for name, text in self.lines if name == level]


class Hand:
    """A clock that is set by hand [s]."""

    now = 0.

    def __call__(self) -> float:
        return self.now


def balanced(accounting: Accounting) -> bool:
    account = accounting.snapshot()
    return account.received == (
        account.published + sum(account.dropped.values()) + account.in_flight)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.one_of(st.just('receive'), st.tuples(st.integers(0, 9), st.sampled_from(
    ['publish', 'busy', 'internal']))), max_size=40))
def test_books_balance_after_every_step_and_a_ticket_closes_once(steps: list) -> None:
    accounting, tickets, closed = Accounting(), [], set()
    for step in steps:
        if step == 'receive':
            tickets.append(accounting.receive())
        elif tickets:
            index, how = step[0] % len(tickets), step[1]
            ticket = tickets[index]
            first = ticket.publish() if how == 'publish' else ticket.drop(how)
            assert first == (index not in closed)
            closed.add(index)
        assert balanced(accounting)
    account = accounting.snapshot()
    assert (account.received, account.in_flight) == (len(tickets), len(tickets) - len(closed))


def test_books_balance_while_many_threads_write_in_them() -> None:
    accounting, seen = Accounting(), []

    def work() -> None:
        for number in range(200):
            ticket = accounting.receive()
            ticket.publish() if number % 3 else ticket.drop('busy')
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen.append(balanced(accounting))
        time.sleep(0.001)
    assert all(seen)
    account = accounting.snapshot()
    assert (account.received, account.in_flight, account.published) == (800, 0, 4 * 133)


def test_latency_percentiles_come_from_the_stages_of_answered_inputs_only() -> None:
    clock = Hand()
    accounting = Accounting(clock=clock)
    for milliseconds in range(1, 101):
        ticket = accounting.receive()
        with ticket.stage('decode'):
            clock.now += milliseconds * 1e-3
        ticket.add_stage('inference', 7.)
        ticket.publish()
    late = accounting.receive()
    clock.now += 1000
    late.drop('busy')
    latency = accounting.snapshot().latency
    assert latency['total'].p50 == pytest.approx(50.5)
    assert latency['decode'].p99 == pytest.approx(99.01)
    assert latency['inference'].p50 == 7.
    accounting.reset_latency()
    assert accounting.snapshot().latency == {} and accounting.snapshot().published == 100


def test_slot_answers_the_newest_and_names_what_it_replaced() -> None:
    gate, begun, done = threading.Event(), threading.Event(), []
    replaced: list[tuple[int, str]] = []

    def work(item: int) -> None:
        begun.set()
        gate.wait(60)
        done.append(item)
    slot: KeepLatest[int] = KeepLatest(work, lambda item, why: replaced.append((item, why)))
    slot.put(-1)  # before the start: nobody will ever work on it
    slot.start()
    slot.put(0)
    assert begun.wait(60)
    for item in (1, 2, 3):
        slot.put(item)
    assert replaced == [(-1, 'stopped'), (1, 'busy'), (2, 'busy')]
    gate.set()
    deadline = time.monotonic() + 60
    while len(done) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert done == [0, 3]
    assert slot.stop()


def test_slot_stops_with_work_at_hand_and_starts_again() -> None:
    gate, begun, done = threading.Event(), threading.Event(), []
    replaced: list[tuple[int, str]] = []

    def work(item: int) -> None:
        begun.set()
        gate.wait(60)
        done.append(item)
    slot: KeepLatest[int] = KeepLatest(work, lambda item, why: replaced.append((item, why)))
    slot.start()
    slot.put(0)
    assert begun.wait(60)
    slot.put(1)
    assert not slot.stop(timeout=0.01) and replaced == [(1, 'stopped')]
    slot.start()
    slot.put(2)
    gate.set()
    slot.stop(timeout=60)
    deadline = time.monotonic() + 60
    while 0 not in done and time.monotonic() < deadline:
        time.sleep(0.001)
    assert 0 in done and 1 not in done


@pytest.mark.parametrize(('error', 'reason'), [
    (InputError('no x', 'missing_field'), 'missing_field'),
    (OutputError('NaN in heatmap'), 'bad_output'),
    (BackendError('out of memory'), 'backend'),
    (ZeroDivisionError('division by zero'), 'internal'),
    (MemoryError(), 'internal'),
])
def test_guard_turns_every_exception_into_one_counted_drop(
        error: Exception, reason: str) -> None:
    lines, accounting, drops = Lines(), Accounting(), []
    guard = Guard(ThrottledLog(lines), lambda text: None,
                  on_drop=lambda why, text: drops.append(why))

    def work() -> None:
        raise error
    guard.run(accounting.receive(), work)
    account = accounting.snapshot()
    assert account.dropped == {reason: 1} and balanced(accounting) and drops == [reason]
    assert len(lines.at('error')) == 1 and '\n' not in lines.at('error')[0]


def test_guard_gives_up_after_ten_failures_in_a_row_but_not_on_bad_input() -> None:
    accounting, given_up = Accounting(), []
    guard = Guard(ThrottledLog(Lines()), given_up.append)

    def run(error: Exception | None) -> None:
        def work() -> None:
            if error is not None:
                raise error
        guard.run(accounting.receive(), work)
    for _ in range(30):
        run(InputError('bad', 'bad_layout'))
    for _ in range(9):
        run(ValueError('ours'))
    run(None)
    for _ in range(9):
        run(ValueError('ours'))
    assert given_up == []
    run(ValueError('the tenth'))
    assert given_up == ['ValueError: the tenth']


def test_guard_does_not_count_an_input_twice_that_failed_after_its_answer() -> None:
    accounting = Accounting()
    ticket = accounting.receive()

    def work() -> None:
        ticket.publish()
        raise RuntimeError('afterwards')
    Guard(ThrottledLog(Lines()), lambda text: None).run(ticket, work)
    account = accounting.snapshot()
    assert (account.published, account.dropped) == (1, {})


def test_log_repeats_a_kind_once_a_period_and_says_how_many_it_held_back() -> None:
    clock, lines = Hand(), Lines()
    log = ThrottledLog(lines, period=5., clock=clock)
    for second in range(8):
        clock.now = float(second)
        log.error('busy', f'at {second}')
        log.warning('other', f'at {second}')
    assert lines.at('error') == ['at 0', 'at 5 (and 4 more since)']
    assert lines.at('warning') == ['at 0', 'at 5 (and 4 more since)']


def test_error_text_is_one_line() -> None:
    assert one_line(InputError('a\n  b')) == 'a b'
    assert one_line(KeyError('x')) == "KeyError: 'x'"


def test_health_reports_the_worst_and_forgets_what_is_not_said_again() -> None:
    clock = Hand()
    health = Health(hold=2., clock=clock)
    accounting = Accounting()

    def report():
        return health.report('active', accounting.snapshot(), {'model': 'm'})
    assert (report().level, report().message) == (Level.OK, 'active')
    health.warn('thinned', 'too many points')
    health.dropped('bad_layout', 'row_step is 0')
    assert report().level == Level.ERROR
    assert report().message == 'bad_layout: row_step is 0; too many points'
    clock.now = 1.5
    health.dropped('busy', 'slow')
    clock.now = 3.
    assert (report().level, report().message) == (Level.WARN, 'busy: slow')
    clock.now = 60.
    health.set('backend', Level.WARN, 'fallback')
    assert report().message == 'fallback'
    health.clear('backend')
    assert report().level == Level.OK


def test_health_reports_everything_once_however_late() -> None:
    clock = Hand()
    health, account = Health(hold=2., clock=clock), Accounting().snapshot()
    health.warn('thinned', 'too many points')
    clock.now = 60.
    assert health.report('active', account, {}).message == 'too many points'
    assert health.report('active', account, {}).message == 'active'


def test_health_shows_the_books_under_stable_keys() -> None:
    accounting, ticks = Accounting(clock=itertools.count().__next__), []
    ticks.append(accounting.receive())
    ticket: Ticket = accounting.receive()
    with ticket.stage('decode'):
        pass
    ticket.publish()
    accounting.receive().drop('busy')
    values = Health().report('active', accounting.snapshot(), {'backend': 'b'}).values
    assert values['received'] == '3' and values['published'] == '1'
    assert values['in_flight'] == '1' and values['dropped.busy'] == '1'
    assert {'latency_p50_ms', 'latency_p99_ms', 'latency_decode_p50_ms', 'backend', 'state'} <= (
        set(values))
