"""Fixtures of the launch tests: those of the ROS tests; scenarios are those without launch."""

from pathlib import Path
import sys

for folder in ('scenarios', 'ros'):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))

from graph_fixtures import domain_id  # noqa: F401
from graph_fixtures import graph  # noqa: F401
