"""Fixtures of every test that joins a live graph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eq_eval.replay.environment import free_domain_id

if TYPE_CHECKING:
    from graph import Graph


@pytest.fixture
def domain_id() -> int:
    """A DDS domain that nobody else on this machine uses."""
    return free_domain_id()


@pytest.fixture
def graph(domain_id: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    """A live graph of its own for one test."""
    pytest.importorskip('rclpy', reason='needs ROS 2')
    from eq_ros.transport import configure_transport
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'ros'))
    configure_transport()
    from graph import Graph
    graph = Graph(domain_id, tmp_path)
    yield graph
    graph.close()
