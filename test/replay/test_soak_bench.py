"""`bench/soak.py`: a drive without a seam, figures that tell growth, no scan unaccounted for."""

from __future__ import annotations

from dataclasses import replace
import importlib.util
from itertools import islice
import os
from pathlib import Path
import sys
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('vision_msgs')
pytest.importorskip('psutil')

from random_recordings import random_scans

from eq_eval.datasets.scan import LabeledScan
from eq_eval.replay.nodes import DETECTOR
from eq_eval.replay.outcome import ScanOutcome
from eq_eval.replay.runner import ReplayOptions
from eq_ros.balance import Balance

ECHO = replace(DETECTOR, module='echo_detector')


@pytest.fixture(scope='module')
def bench(repository: Path) -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location('bench_soak', repository / 'bench' / 'soak.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def drive(count: int) -> list[LabeledScan]:
    """A sensor that moves by 1 m a scan."""
    scans = random_scans(('lidar',) * count, 50)
    for index, scan in enumerate(scans):
        scan.pose[0, 3] = index
    return scans


@pytest.mark.parametrize('count', [1, 2, 5])
def test_neither_time_nor_place_jumps_however_long_it_is_played(
        bench: ModuleType, count: int) -> None:
    scans = drive(count)
    played = list(islice(bench.back_and_forth(scans, True), 4 * count + 3))
    assert [scan.index for scan in played] == list(range(4 * count + 3))
    assert set(np.diff([scan.stamp for scan in played])) == {bench.PERIOD_NS}
    places = np.array([scan.pose[0, 3] for scan in played])
    assert set(np.abs(np.diff(places))) == ({1.} if count > 1 else {0.})
    assert set(places) == set(range(count))
    for scan in played:  # points stay with the pose that they were seen from
        assert np.array_equal(scan.cloud.xyz, scans[int(scan.pose[0, 3])].points.xyz)
        assert scan.cloud.stamp == scan.stamp


def test_growth_is_what_comes_after_the_warm_up(bench: ModuleType) -> None:
    seconds = 7e5 + np.arange(600.)
    leak = 100 + seconds / 60 * 1.5
    leak[:60] = 1e4 * np.random.default_rng(0).random(60)  # whatever happens while warming up
    figures = bench.growth(seconds, leak)
    assert figures['per_minute'] == pytest.approx(1.5, rel=1e-6)
    assert figures['growth'] == pytest.approx(1.5 * 8)     # from minute 1.5 to minute 9.5
    assert figures['end'] - figures['warm'] == figures['growth']
    assert figures['peak'] == leak.max()
    assert np.diff(figures['tenths'])[1:] == pytest.approx(1.5)
    steady = bench.growth(seconds, np.where(np.arange(600) < 30, 5., 90.))
    assert (steady['warm'], steady['end'], steady['growth']) == (90., 90., 0.)
    assert steady['per_minute'] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(('balance', 'unbalanced', 'holds'), [
    (Balance(4, 3, 0, {'busy': 1}), 0, True),
    (Balance(3, 3, 0), 0, True),                     # one was lost on the way
    (Balance(4, 3, 0, {'busy': 1}), 1, False),       # it did not hold before
    (Balance(4, 3, 0), 0, False),
    (Balance(4, 2, 0, {'busy': 2}), 0, False),       # three were heard
    (Balance(5, 3, 0, {'busy': 2}), 0, False),       # four were sent
])
def test_a_balance_that_fails_is_told(bench: ModuleType, balance: Balance, unbalanced: int,
                                      holds: bool) -> None:
    outcomes = [ScanOutcome(index, index, 8, 'published', trip)
                for index, trip in enumerate((1., 3., 2., None))]
    result = bench.accounts(outcomes, balance, unbalanced)
    assert result['accounted'] is holds
    assert result['sent'] == 4 == result['received'] + result['lost_in_transport']
    assert (result['heard'], result['round_trip_ms']['p50']) == (3, 2.)


def test_a_process_is_seen_from_outside(bench: ModuleType, tmp_path: Path) -> None:
    watch = bench.Watch(os.getpid(), period=0.)
    watch.look(Balance())
    block = np.ones(200_000_000, np.uint8)  # beyond what malloc serves from memory it already has
    with (tmp_path / 'a').open('w'), (tmp_path / 'b').open('w'):
        watch.look(Balance(received=1))
    (_, memory, _, files), (_, more, _, more_files) = watch.rows
    assert more - memory > 0.8 * block.nbytes / 1e6
    assert more_files == files + 2
    assert watch.unbalanced == 1


@pytest.mark.usefixtures('node_path')
def test_every_scan_of_a_soak_is_accounted_for(bench: ModuleType, tmp_path: Path) -> None:
    scans = random_scans(('lidar', 'lidar', 'bad', 'lidar'))
    result = bench.soak(scans, ReplayOptions(node=ECHO, rate=1.), tmp_path, seconds=3.)
    assert result['accounted'] is True
    assert result['sent'] == 30 == result['received'] + result['lost_in_transport']
    assert result['received'] == (
        result['published'] + sum(result['dropped'].values()) + result['in_flight'])
    assert set(result['dropped']) == {'frame'} and 0 < result['heard'] == result['published']
    assert result['round_trip_ms']['p50'] <= result['round_trip_ms']['max']
    assert result['memory_mb']['peak'] >= result['memory_mb']['end'] > 1
    assert result['threads']['end'] >= 1 and result['files']['end'] >= 3
