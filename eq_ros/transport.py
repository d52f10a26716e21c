"""The Fast DDS profile: without it a best-effort 2 MB cloud practically never arrives.

The default shared-memory segment holds 0.5 MB, and the fragments that do not fit are dropped.
Our profile has a 32 MiB segment; it must be named in the environment before ``rclpy.init``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
import os
from pathlib import Path
import shutil
import sys

from eq_core.errors import ConfigError

# Fast DDS 3 (Kilted and later) reads the first name and warns about the second, which is the only
# one that Fast DDS 2 (Jazzy and before) reads
PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
_FAST_DDS_2 = frozenset({'humble', 'iron', 'jazzy'})
_FIRST_RCLPY_OF_KILTED = 9
PROFILE = 'config/fastdds_profile.xml'
SEGMENT_BYTES = 35 * 2**20  # shared memory of one process, as measured
SHARED_MEMORY = Path('/dev/shm')


def shared_file(name: str) -> Path:
    """Finds a file of the package in the source tree or where it was installed.

    Args:
        name: Path below the package's share folder, such as ``config/fastdds_profile.xml``.

    Raises:
        ConfigError: There is no such file.
    """
    prefixes = [Path(entry) for entry in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
                if entry]
    places = [Path(__file__).resolve().parents[1],
              *(prefix / 'share' / 'eq_stack' for prefix in (*prefixes, Path(sys.prefix)))]
    for place in places:
        if (place / name).is_file():
            return place / name
    raise ConfigError(f'{name} not found in {", ".join(map(str, places))}')


def transport_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a process needs besides those that it has.

    Args:
        environment: What is set already; a profile that the user has named stays.
    """
    lacking = {}
    if not any(name in environment for name in PROFILE_VARIABLES):
        names = PROFILE_VARIABLES[:2 if _is_fast_dds_2(environment) else 1]
        lacking = dict.fromkeys(names, str(shared_file(PROFILE)))
    # ROS from wheels does not name its own prefix
    if 'AMENT_PREFIX_PATH' not in environment and (
            Path(sys.prefix) / 'share/ament_index').is_dir():
        lacking['AMENT_PREFIX_PATH'] = sys.prefix
    return lacking


def configure_transport() -> None:
    """Names our profile to this process and its children; call it before ``rclpy.init``."""
    os.environ.update(transport_variables(os.environ))


def _is_fast_dds_2(environment: Mapping[str, str]) -> bool:
    """Whether this ROS is Jazzy or older; ROS from wheels does not name its distribution."""
    distribution = environment.get('ROS_DISTRO')
    if distribution is not None:
        return distribution in _FAST_DDS_2
    try:
        return int(version('rclpy').split('.')[0]) < _FIRST_RCLPY_OF_KILTED
    except PackageNotFoundError:
        return False


def shared_memory_fault(processes: int = 3) -> str | None:
    """Says what is wrong if the machine has too little shared memory, such as a bare container.

    Args:
        processes: Processes that are meant to talk at once.
    """
    if not SHARED_MEMORY.is_dir():
        return None
    free, needed = shutil.disk_usage(SHARED_MEMORY).free, processes * SEGMENT_BYTES
    if free >= needed:
        return None
    return (f'{SHARED_MEMORY} has {free / 2**20:.0f} MiB left, {processes} processes need '
            f'{needed / 2**20:.0f} MiB: start the container with --ipc=host or --shm-size=1g')
