"""The environment in which a replay's processes find each other and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from importlib.util import find_spec
import os
from pathlib import Path
import random
import socket

from eq_core.errors import ConfigError
from eq_ros.transport import transport_variables

_PORT = 7400  # RTPS 2.5, 9.6.1.1: the ports of domain d begin at 7400 + 250 d ...
_PORTS_PER_DOMAIN = 250
# ... with that of multicast, and go on with two for each participant; one that is restricted to
# its machine opens only those.
_OFFSETS = (0, *range(10, 10 + 2 * 16, 2))
_DOMAINS = range(1, 101)  # higher ones may lie in the range of short-lived ports


def require_ros() -> None:
    """Makes sure that a live graph can be had.

    Raises:
        ConfigError: rclpy is not installed.
    """
    if find_spec('rclpy') is None:
        raise ConfigError('there is no ROS 2 for this Python, so nothing can be played live; '
                          '`eq doctor` tells how to get it, `eq eval` needs none')


def free_domain_id(seed: int | None = None) -> int:
    """Picks a DDS domain that nobody on this machine uses.

    A replay publishes `/clock`; on the domain of a robot that would turn its time back.

    Args:
        seed: Makes the choice repeatable; by chance if None.
    """
    domains = list(_DOMAINS)
    random.Random(seed).shuffle(domains)
    return next((domain for domain in domains if _is_free(domain)), domains[0])


def _is_free(domain: int) -> bool:
    for offset in _OFFSETS:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(('', _PORT + _PORTS_PER_DOMAIN * domain + offset))
            except OSError:
                return False
    return True


@contextmanager
def applied(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets variables of this process, and takes that back at the end."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def graph_environment(domain_id: int, log_directory: Path,
                      base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables under which all processes of one replay run.

    What the user has set stays, except the domain and the range of discovery.

    Args:
        domain_id: DDS domain.
        log_directory: Folder for the log files of rcl.
        base: Variables to start from; those of this process if None.
    """
    variables = dict(os.environ if base is None else base)
    variables['ROS_DOMAIN_ID'] = str(domain_id)
    variables['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    variables['ROS_LOG_DIR'] = str(log_directory)
    variables['PYTHONUNBUFFERED'] = '1'
    return variables | transport_variables(variables)
