"""What a node says about itself: level, one line, and numbers with stable keys.

ROS-free; `eq_ros.diagnostics` makes the message of it.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
import time

from eq_ros.accounting import Account
from eq_ros.accounting import TOTAL
from eq_ros.guard import WARNINGS


class Level(IntEnum):
    """The levels of ``diagnostic_msgs/DiagnosticStatus``."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Report:
    """One status.

    Attributes:
        level: The worst of what is wrong.
        message: All that is wrong in one line, or the state of the node.
        values: Keys and texts.
    """

    level: Level
    message: str
    values: dict[str, str]


class Health:
    """Collects what is wrong and forgets it once it has not been said again for a while."""

    def __init__(self, hold: float = 2.5, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts healthy.

        Args:
            hold: How long a condition lasts after it was last said [s]; it is in one report at
                least, however far apart they are.
            clock: Steady clock [s].
        """
        self._hold = hold
        self._clock = clock
        self._passing: dict[str, tuple[float, Level, str]] = {}
        self._unreported: set[str] = set()
        self._lasting: dict[str, tuple[Level, str]] = {}

    def warn(self, key: str, text: str) -> None:
        """Says something that can go on."""
        self._say(key, Level.WARN, text)

    def error(self, key: str, text: str) -> None:
        """Says something that cannot go on."""
        self._say(key, Level.ERROR, text)

    def dropped(self, reason: str, text: str) -> None:
        """Says that an input was dropped."""
        level = Level.WARN if reason in WARNINGS else Level.ERROR
        self._say(f'dropped.{reason}', level, f'{reason}: {text}')

    def set(self, key: str, level: Level, text: str) -> None:
        """Says something that holds until it is taken back."""
        self._lasting[key] = (level, text)

    def clear(self, key: str | None = None) -> None:
        """Takes back what was set under `key`, or everything."""
        if key is None:
            self._lasting.clear()
            self._passing.clear()
            self._unreported.clear()
        else:
            self._lasting.pop(key, None)

    def report(self, state: str, account: Account, extra: Mapping[str, str]) -> Report:
        """Sums up.

        Args:
            state: Life-cycle state, the message where nothing is wrong.
            account: The books.
            extra: More keys and texts, such as the backend.
        """
        now = self._clock()
        new, self._unreported = self._unreported, set()
        conditions = list(self._lasting.values()) + [
            (level, text) for key, (said, level, text) in list(self._passing.items())
            if now - said <= self._hold or key in new]
        conditions.sort(key=lambda condition: -condition[0])
        return Report(
            conditions[0][0] if conditions else Level.OK,
            '; '.join(text for _, text in conditions) or state,
            {'state': state, **account_values(account), **extra})

    def _say(self, key: str, level: Level, text: str) -> None:
        self._passing[key] = (self._clock(), level, text)
        self._unreported.add(key)


def account_values(account: Account) -> dict[str, str]:
    """The books as keys and texts; the keys are an interface, see the README."""
    values = {'received': str(account.received), 'published': str(account.published),
              'in_flight': str(account.in_flight)}
    for reason, count in sorted(account.dropped.items()):
        values[f'dropped.{reason}'] = str(count)
    for stage, latency in account.latency.items():
        name = 'latency' if stage == TOTAL else f'latency_{stage}'
        values[f'{name}_p50_ms'] = f'{latency.p50:.3f}'
        values[f'{name}_p99_ms'] = f'{latency.p99:.3f}'
    return values
