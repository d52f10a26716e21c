"""A process seen from outside, now and then: does it hold more and more?"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from time import monotonic
from typing import Any
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
import psutil

if TYPE_CHECKING:
    from eq_ros.balance import Balance

MEGABYTE = 1e6


@dataclass
class Watch:
    """Looks at a process from outside, now and then.

    Attributes:
        pid: The process.
        period: Least time between two looks [s].
        rows: Of each look the time [s], resident memory [MB], threads, open files.
        unbalanced: Looks at which the balance of the node did not hold.
    """

    pid: int
    period: float = 1.
    rows: list[tuple[float, float, int, int]] = field(default_factory=list)
    unbalanced: int = 0

    def look(self, balance: Balance) -> None:
        """Takes a sample if it is time for one."""
        now = monotonic()
        if self.rows and now - self.rows[0][0] < len(self.rows) * self.period:
            return
        process = psutil.Process(self.pid)
        self.rows.append((now, process.memory_info().rss / MEGABYTE, process.num_threads(),
                          process.num_fds()))
        self.unbalanced += not balance.balanced

    def figures(self) -> dict[str, Any]:
        """Growth of memory, threads and open files, and the number of looks."""
        seconds, memory, threads, files = np.array(self.rows, float).T
        return {'memory_mb': growth(seconds, memory), 'threads': growth(seconds, threads),
                'fds': growth(seconds, files), 'samples': len(self.rows)}


def growth(seconds: NDArray[np.float64], values: NDArray[np.float64]) -> dict[str, Any]:
    """How a quantity changes once a node has warmed up, in the first tenth of the run.

    Args:
        seconds: (N,) times of the samples [s].
        values: (N,) the quantity.

    Returns:
        ``tenths``, the median of each tenth of the run, which tell a slope from a step; ``warm``
        and ``end``, the second and the last of them; ``growth`` from one to the other;
        ``per_minute``, slope of the least-squares line after the first tenth; ``peak``.
    """
    tenths = [float(np.median(part)) for part in np.array_split(values, 10)]
    later = len(values) // 10
    slope = np.polyfit(seconds[later:] - seconds[0], values[later:], 1)[0]
    return {'tenths': tenths, 'warm': tenths[1], 'end': tenths[-1],
            'growth': tenths[-1] - tenths[1], 'per_minute': float(60 * slope),
            'peak': float(values.max())}
