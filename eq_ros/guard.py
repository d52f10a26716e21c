"""What stands between an input and the rest of the node: no exception leaves a callback.

ROS-free: a logger is any object with ``debug``, ``info``, ``warning`` and ``error``.
"""

from __future__ import annotations

from collections.abc import Callable
import time
import traceback
from typing import Protocol

from eq_core.errors import BackendError
from eq_core.errors import EqError
from eq_core.errors import InputError
from eq_core.errors import OutputError
from eq_ros.accounting import Ticket

# Drops that a healthy system can have; all others are errors
MILD = frozenset({'busy', 'out_of_order', 'stale', 'stopped'})
# Requests that have no answer but the reason, likewise
REFUSED = frozenset({
    'cancelled', 'goal_occupied', 'goal_outside_map', 'invalid_planner', 'no_map', 'no_valid_path',
    'stale_map', 'start_occupied', 'start_outside_map', 'tf_error', 'timeout'})
# Looks at a table that show nothing fit to be picked or placed, likewise
NOT_FIT = frozenset({
    'cancelled', 'invalid_depth', 'invalid_goal', 'low_score', 'no_image', 'outside_workspace',
    'stale_image', 'tf_error', 'timeout', 'unpaired'})
WARNINGS = MILD | REFUSED | NOT_FIT


class Logger(Protocol):
    """The part of a logger that is used."""

    def debug(self, message: str) -> object:
        """Logs a detail."""

    def info(self, message: str) -> object:
        """Logs a milestone."""

    def warning(self, message: str) -> object:
        """Logs what can go on."""

    def error(self, message: str) -> object:
        """Logs what cannot go on."""


def one_line(error: BaseException) -> str:
    """The text of an error on one line, with its type where that is not one of ours."""
    text = ' '.join(str(error).split())
    return text if isinstance(error, EqError) else f'{type(error).__name__}: {text}'


class ThrottledLog:
    """Logs each kind of message at most once a period and counts what it held back."""

    def __init__(self, logger: Logger, period: float = 5.0,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """Wraps a logger.

        Args:
            logger: Where the text goes.
            period: Shortest time between two messages of one kind [s].
            clock: Steady clock [s].
        """
        self._logger = logger
        self._period = period
        self._clock = clock
        self._last: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def warning(self, kind: str, text: str) -> None:
        """Logs `text` as a warning, unless one of this kind was logged just now."""
        line = self._pass(kind, text)
        if line is not None:
            self._logger.warning(line)

    def error(self, kind: str, text: str) -> None:
        """Logs `text` as an error, unless one of this kind was logged just now."""
        line = self._pass(kind, text)
        if line is not None:
            self._logger.error(line)

    def debug(self, text: str) -> None:
        """Passes a detail on, unthrottled: who asks for debug output wants all of it."""
        self._logger.debug(text)

    def reset(self) -> None:
        """Lets every kind through again."""
        self._last.clear()
        self._held.clear()

    def _pass(self, kind: str, text: str) -> str | None:
        """The line to log now, or None."""
        now = self._clock()
        if kind in self._last and now - self._last[kind] < self._period:
            self._held[kind] = self._held.get(kind, 0) + 1
            return None
        self._last[kind] = now
        held = self._held.pop(kind, 0)
        return f'{text} (and {held} more since)' if held else text


class Guard:
    """Runs the work on one input and turns every exception into a counted drop."""

    def __init__(self, log: ThrottledLog, on_limit: Callable[[str], None], limit: int = 10,
                 on_drop: Callable[[str, str], None] = lambda reason, text: None) -> None:
        """Sets the guard.

        Args:
            log: Where the one line of an error goes.
            on_limit: Called with the last error's text after `limit` failures in a row that are
                ours (`internal`, `backend`, `bad_output`), not the input's.
            limit: Failures in a row that are one too many.
            on_drop: Told the reason and text of every drop.
        """
        self._log = log
        self._on_limit = on_limit
        self._limit = limit
        self._on_drop = on_drop
        self._failures = 0

    def run(self, ticket: Ticket, work: Callable[[], None]) -> None:
        """Runs `work`, which publishes the ticket itself; drops the ticket if it raises."""
        try:
            work()
        except InputError as error:
            self._drop(ticket, error.reason, one_line(error))
        except OutputError as error:
            self._fail(ticket, 'bad_output', error)
        except BackendError as error:
            self._fail(ticket, 'backend', error)
        except Exception as error:  # noqa: BLE001 - the purpose of a guard
            self._fail(ticket, 'internal', error)
        else:
            self._failures = 0

    def reset(self) -> None:
        """Forgets past failures, for instance at activation."""
        self._failures = 0

    def _drop(self, ticket: Ticket, reason: str, text: str) -> None:
        """Counts, reports and logs."""
        ticket.drop(reason)
        self._on_drop(reason, text)
        say = self._log.warning if reason in WARNINGS else self._log.error
        say(reason, f'input dropped ({reason}): {text}')

    def _fail(self, ticket: Ticket, reason: str, error: Exception) -> None:
        """Drops an input for a failure of ours, and gives up after too many."""
        text = one_line(error)
        self._drop(ticket, reason, text)
        self._log.debug(''.join(traceback.format_exception(error)))
        self._failures += 1
        if self._failures == self._limit:
            self._failures = 0
            self._on_limit(text)
