"""Fixtures of the ROS tests; helper modules beside this file can be imported by name."""

from pathlib import Path
import sys

sys.path.insert(0, str(Path(__file__).parent))

from graph_fixtures import domain_id  # noqa: F401
from graph_fixtures import graph  # noqa: F401
