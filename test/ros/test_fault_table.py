"""The fault table names tests that there are, and every row has one."""

from __future__ import annotations

import json
from pathlib import Path
import subprocess
import sys

from eq_eval.fault_table import KNOWN
from eq_eval.fault_table import missing_tests
from eq_eval.fault_table import read_fault_table


def test_every_fault_has_a_row_and_every_row_a_test(repository: Path) -> None:
    table = read_fault_table(repository)
    assert set(table) == set(KNOWN)
    assert all(table.values())


def test_every_named_test_is_there(repository: Path) -> None:
    for number, names in read_fault_table(repository).items():
        assert missing_tests(repository, names) == [], number
    assert missing_tests(repository, ['test/ros/test_fault_table.py::test_that_is_not_there',
                                      'test/ros/test_that_is_not_there.py']) != []


def test_doctor_counts_them(repository: Path) -> None:
    done = subprocess.run([sys.executable, '-m', 'eq_eval.cli.main', 'doctor', '--faults',
                           '--json'], cwd=repository, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found['tested'] == found['rows'] == len(read_fault_table(repository))
