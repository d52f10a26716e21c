"""Time that planning may take.

The work is done in calls that cannot be broken off and hold Python's lock, so that nobody could
even say that it is late. Hence no call is begun of which it is foreseen that it would not end in
time.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from eq_navigation.outcome import ErrorCode
from eq_navigation.outcome import Refusal

# Seconds per cell or node, until they have been measured.
RATES = {'map': 2e-7, 'corridor': 2e-7, 'graph': 4e-7, 'search': 1.5e-6, 'costs': 3e-6}
TELLING = 50_000    # so many cells take long enough to learn from


class Budget:
    """The time of one plan, and what is known of how long its steps take."""

    def __init__(self, limit: float, cancelled: Callable[[], bool], rates: dict[str, float]
                 ) -> None:
        """Starts the clock.

        Args:
            limit: Time from now [s].
            cancelled: Whether nobody wants the answer any more.
            rates: Seconds per cell of each kind of step; kept up to date.
        """
        self._began, self._limit = perf_counter(), limit
        self._cancelled, self._rates = cancelled, rates

    @property
    def spent(self) -> float:
        """Time since the start [s]."""
        return perf_counter() - self._began

    def check(self) -> None:
        """Ends planning if it is late or not wanted any more.

        Raises:
            Refusal: It is.
        """
        if self._cancelled():
            raise Refusal(ErrorCode.UNKNOWN, 'planning was cancelled')
        if self.spent > self._limit:
            raise Refusal(ErrorCode.TIMEOUT, f'no path within {self._limit:g} s')

    @contextmanager
    def step(self, kind: str, size: float) -> Iterator[None]:
        """Does a step unless it would take too long.

        Args:
            kind: A key of `RATES`.
            size: Cells or nodes that it is about.

        Raises:
            Refusal: It would, or time is up already, or the answer is not wanted any more.
        """
        self.check()
        expected = self.spent + self._rates[kind] * size
        if expected > self._limit:
            raise Refusal(ErrorCode.TIMEOUT, f'no path within {self._limit:g} s: {size:.0f} cells '
                                             f'would take {expected:.1f} s')
        began = perf_counter()
        yield
        if size >= TELLING:
            self._rates[kind] = (perf_counter() - began) / size
        self.check()
