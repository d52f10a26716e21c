"""Makes the next batch while the present one is learnt."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar('Batch')


def prefetched(make: Callable[[int], Batch], first: int, last: int) -> Iterator[Batch]:
    """Yields ``make(first)`` .. ``make(last - 1)``, the next one being made meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(make, first)
        for number in range(first + 1, last + 1):
            ready = coming.result()
            if number < last:
                coming = pool.submit(make, number)
            yield ready
