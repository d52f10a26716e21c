"""Fixtures of the launch tests: those of the ROS tests; scenarios are those without launch."""

from pathlib import Path
import sys

sys.path.insert(0, str(Path(__file__).parents[1] / 'scenarios'))
sys.path.insert(0, str(Path(__file__).parents[1] / 'ros'))

from graph_fixtures import domain_id  # noqa: F401
from graph_fixtures import graph  # noqa: F401
import pytest


@pytest.fixture(scope='session')
def installed() -> None:
    """Launch files find each other and the nodes in the installed package."""
    packages = pytest.importorskip('ament_index_python.packages')
    try:
        packages.get_package_share_directory('eq_stack')
    except (packages.PackageNotFoundError, OSError):    # the latter where no prefix is known
        pytest.skip('eq_stack is not installed')
