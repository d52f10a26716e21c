"""The figures of a replay."""

from __future__ import annotations

from typing import Any

from eq_eval.replay.outcome import percentiles
from eq_eval.replay.runner import ReplayOptions
from eq_eval.replay.runner import ReplayRun


def summarize(run: ReplayRun, options: ReplayOptions, lost_in_bag: int = 0) -> dict[str, Any]:
    """Makes the balance of a replay; every scan of the recording is in exactly one figure.

    Args:
        run: The replay.
        options: How it was played.
        lost_in_bag: Scans that a salvaged recording has lost already.

    Returns:
        Plain numbers: `scans_in_bag` = `published` + all of `dropped` + `in_flight` +
        `lost_in_transport` + `lost_in_bag`, of which `accounted` tells whether it holds.
    """
    played = len(run.outcomes)
    # Some readers know only that something is lost, not how much.
    lost = lost_in_bag + max(run.expected - played, len(run.lost))
    median, high = percentiles(list(run.outcomes))
    dropped = sum(run.dropped.values())
    missing = max(played - run.received, 0)
    answers = sum(outcome.status == 'published' for outcome in run.outcomes)
    return {
        'scans_in_bag': played + lost,
        'received': run.received, 'published': run.published, 'dropped': dict(run.dropped),
        'in_flight': run.in_flight, 'lost_in_transport': missing, 'lost_in_bag': lost,
        'recorded': answers,
        'accounted': (played == run.published + dropped + run.in_flight + missing
                      and answers == run.published),
        'objects': sum(len(outcome.boxes) for outcome in run.outcomes if outcome.boxes),
        'round_trip_p50_ms': median, 'round_trip_p99_ms': high,
        'latency_p50_ms': run.node_latency.get('total', {}).get('p50'),
        'latency_p99_ms': run.node_latency.get('total', {}).get('p99'),
        'node_latency_ms': {stage: dict(row) for stage, row in run.node_latency.items()},
        'rate': options.rate, 'backend': run.node_facts.get('backend', ''),
    }
