"""Fixtures of the scenarios: a domain of their own, and the graph of the ROS tests."""

from pathlib import Path
import sys

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / 'ros'))

from graph_fixtures import domain_id  # noqa: F401
