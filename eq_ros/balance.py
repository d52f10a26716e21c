"""What a node says about its inputs on `/diagnostics`, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
import re
from typing import Any

_COUNTERS = ('received', 'published', 'in_flight')
_DROPPED = 'dropped.'
_LATENCY = re.compile(r'latency(?:_(\w+))?_(p50|p99)_ms')
_ERROR = 2


@dataclass(frozen=True)
class Balance:
    """The balance of a node: received = published + dropped + in_flight, at any time.

    Attributes:
        received: Inputs that reached the node.
        published: Inputs that were answered.
        in_flight: Inputs in work.
        dropped: Reason to number of inputs that were refused for it.
        details: Every other key of the status (latencies, backend, model), as text.
        level: 0 ok, 1 warning, 2 error, 3 stale.
        message: The status in words.
    """

    received: int = 0
    published: int = 0
    in_flight: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    level: int = 0
    message: str = ''

    @property
    def num_dropped(self) -> int:
        """Dropped inputs over all reasons."""
        return sum(self.dropped.values())

    @property
    def latency(self) -> dict[str, dict[str, float]]:
        """Stage (``'total'`` for the whole) to percentile (``'p50'``, ``'p99'``) [ms]."""
        table: dict[str, dict[str, float]] = {}
        for key, value in self.details.items():
            match = _LATENCY.fullmatch(key)
            if match:
                table.setdefault(match[1] or 'total', {})[match[2]] = float(value)
        return table

    @property
    def fault(self) -> str:
        """What has kept the node from becoming active, empty if nothing has."""
        waits = self.details.get('state') in ('unconfigured', 'inactive')
        return self.message if waits and self.level >= _ERROR else ''

    @property
    def balanced(self) -> bool:
        """Whether every input is accounted for."""
        return self.received == self.published + self.num_dropped + self.in_flight

    @classmethod
    def from_status(cls, status: Any) -> Balance:
        """Reads a `diagnostic_msgs/DiagnosticStatus`."""
        values = {pair.key: pair.value for pair in status.values}
        counters = {name: int(float(values.pop(name, 0))) for name in _COUNTERS}
        dropped = {key.removeprefix(_DROPPED): int(float(values.pop(key)))
                   for key in sorted(values) if key.startswith(_DROPPED)}
        level = status.level[0] if isinstance(status.level, bytes) else int(status.level)
        return cls(**counters, dropped=dropped, details=values, level=level,
                   message=status.message)


def find_balance(message: Any, node_name: str) -> Balance | None:
    """The pipeline status of one node in a `diagnostic_msgs/DiagnosticArray`, if it is there."""
    for status in message.status:
        owner, _, task = status.name.partition(':')
        if owner.strip().strip('/') == node_name.strip('/') and task.strip() == 'pipeline':
            return Balance.from_status(status)
    return None
