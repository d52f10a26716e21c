"""What a node frees it gets again without asking the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from eq_ros.memory import keep_freed_memory
if sys.argv[1] == 'keep' and not keep_freed_memory():
    sys.exit(77)
def work():
    blocks = [np.ones(1_000_000) for _ in range(4)]
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_large_blocks_are_kept() -> None:
    faults = {}
    for how in ('keep', 'leave'):
        done = subprocess.run([sys.executable, '-c', FAULTS, how], capture_output=True, text=True,
                              check=False)
        if done.returncode == 77:
            pytest.skip('no mallopt in this C library')
        faults[how] = int(done.stdout)
    if faults['leave'] < 100:
        pytest.skip('this system does not count page faults')
    assert faults['keep'] < .1 * faults['leave']
