"""`eq bench soak`: a drive without a seam, figures that tell growth, no scan unaccounted for."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from subprocess import PIPE
from subprocess import Popen
import sys

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('vision_msgs')
pytest.importorskip('psutil')

from random_recordings import random_scans

from eq_eval import process_watch
from eq_eval import soak
from eq_eval.datasets.scan import LabeledScan
from eq_eval.replay.nodes import DETECTOR
from eq_eval.replay.outcome import ScanOutcome
from eq_eval.replay.runner import ReplayOptions
from eq_ros.balance import Balance

ECHO = replace(DETECTOR, module='echo_detector')


def drive(count: int) -> list[LabeledScan]:
    """A sensor that moves by 1 m a scan."""
    scans = random_scans(('lidar',) * count, 50)
    for index, scan in enumerate(scans):
        scan.pose[0, 3] = index
    return scans


@pytest.mark.parametrize('count', [1, 2, 5])
def test_neither_time_nor_place_jumps_however_long_it_is_played(count: int) -> None:
    scans = drive(count)
    played = list(islice(soak.back_and_forth(scans, True), 4 * count + 3))
    assert [scan.index for scan in played] == list(range(4 * count + 3))
    assert set(np.diff([scan.stamp for scan in played])) == {soak.PERIOD_NS}
    places = np.array([scan.pose[0, 3] for scan in played])
    assert set(np.abs(np.diff(places))) == ({1.} if count > 1 else {0.})
    assert set(places) == set(range(count))
    for scan in played:  # points stay with the pose that they were seen from
        assert np.array_equal(scan.cloud.xyz, scans[int(scan.pose[0, 3])].points.xyz)
        assert scan.cloud.stamp == scan.stamp


def test_growth_is_what_comes_after_the_warm_up() -> None:
    seconds = 7e5 + np.arange(600.)
    leak = 100 + seconds / 60 * 1.5
    leak[:60] = 1e4 * np.random.default_rng(0).random(60)  # whatever happens while warming up
    figures = process_watch.growth(seconds, leak)
    assert figures['per_minute'] == pytest.approx(1.5, rel=1e-6)
    assert figures['growth'] == pytest.approx(1.5 * 8)     # from minute 1.5 to minute 9.5
    assert figures['end'] - figures['warm'] == figures['growth']
    assert figures['peak'] == leak.max()
    assert np.diff(figures['tenths'])[1:] == pytest.approx(1.5)
    steady = process_watch.growth(seconds, np.where(np.arange(600) < 30, 5., 90.))
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
def test_a_balance_that_fails_is_told(balance: Balance, unbalanced: int, holds: bool) -> None:
    outcomes = [ScanOutcome(index, index, 8, 'published', trip)
                for index, trip in enumerate((1., 3., 2., None))]
    result = soak.accounts(outcomes, balance, unbalanced)
    assert (result['unaccounted'] == 0) is holds
    assert result['sent'] == 4 == result['received'] + result['lost_in_transport']
    assert (result['heard'], result['round_trip_ms']['p50']) == (3, 2.)


def test_a_process_is_seen_from_outside(tmp_path: Path) -> None:
    grows = ('import sys; print(flush=True); sys.stdin.readline(); block = b"1" * 200_000_000; '
             'files = [open(name, "w") for name in sys.argv[1:]]; print(flush=True); '
             'sys.stdin.readline()')
    process = Popen([sys.executable, '-c', grows, tmp_path / 'a', tmp_path / 'b'], text=True,
                    stdin=PIPE, stdout=PIPE)
    with process:
        watch = process_watch.Watch(process.pid, period=0.)
        for balance in (Balance(), Balance(received=1)):
            process.stdout.readline()
            watch.look(balance)
            process.stdin.write('\n')
            process.stdin.flush()
    (_, memory, _, files), (_, more, _, more_files) = watch.rows
    assert more - memory > 160
    assert more_files == files + 2
    assert watch.unbalanced == 1


@pytest.mark.usefixtures('node_path')
def test_every_scan_of_a_soak_is_accounted_for(tmp_path: Path) -> None:
    scans = random_scans(('lidar', 'lidar', 'bad', 'lidar'))
    result = soak.soak(scans, ReplayOptions(node=ECHO, rate=1.), tmp_path, seconds=3.)
    assert result['unaccounted'] == 0 < result['threads'] and result['fds'] >= 3
    result = result['nodes'][ECHO.name]
    assert result['sent'] == 30 == result['received'] + result['lost_in_transport']
    assert result['received'] == (
        result['published'] + sum(result['dropped'].values()) + result['in_flight'])
    assert set(result['dropped']) == {'frame'} and 0 < result['heard'] == result['published']
    assert result['round_trip_ms']['p50'] <= result['round_trip_ms']['max']
    assert result['memory_mb']['peak'] >= result['memory_mb']['end'] > 1
    assert result['threads']['end'] >= 1 and result['fds']['end'] >= 3


def test_what_nodes_hold_is_summed() -> None:
    def node(warm: float, end: float, lost: int) -> dict[str, object]:
        grown = {'warm': warm, 'end': end, 'growth': end - warm}
        return {'memory_mb': grown, 'threads': grown, 'fds': grown, 'unaccounted': lost}
    assert soak.summary({'one': node(100., 110., 0), 'other': node(300., 300., 2)}) == {
        'rss_growth_pct': 2.5, 'threads': 410, 'fds': 410, 'threads_growth': 10.,
        'fds_growth': 10., 'unaccounted': 2}
