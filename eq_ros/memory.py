"""Keeps memory that a node frees, as it asks for the same again with the next cloud."""

from __future__ import annotations

import ctypes
import sys

KEPT_BYTES = 64 * 2 ** 20  # most that is kept; a cloud of 120 000 points takes 20 MB on its way
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3   # mallopt(3)
_LARGEST_MMAP_THRESHOLD = 32 * 2 ** 20          # glibc takes no more


def keep_freed_memory() -> bool:
    """Tells glibc to keep large blocks that are freed.

    It would give them back to the system and get them again, page by page, with every cloud, which
    makes what is done with them half as slow again.

    Returns:
        Whether it was done; other C libraries have their own ways.
    """
    if sys.platform != 'linux':
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
                and mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES))
