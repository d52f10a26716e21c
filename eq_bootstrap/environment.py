"""The environment in which the `eq` command and its nodes run."""

from __future__ import annotations

from collections.abc import Mapping
import os
from pathlib import Path

from eq_bootstrap.ros import Ros
from eq_bootstrap.ros import sourced_environment
from eq_bootstrap.ros import WHEELS_GUARD

PROFILE_VARIABLES = {'kilted': 'FASTDDS_DEFAULT_PROFILES_FILE',   # Fast DDS 3
                     'jazzy': 'FASTRTPS_DEFAULT_PROFILES_FILE'}   # Fast DDS 2
PROFILE = 'share/eq_stack/config/fastdds_profile.xml'


def runtime_environment(prefix: Path, ros: Ros) -> dict[str, str]:
    """Returns the environment for programs of a virtual environment.

    Args:
        prefix: The virtual environment.
        ros: The ROS in use.
    """
    base = sourced_environment(ros.prefix) if ros.prefix else dict(os.environ)
    env = {**without_foreign_wheels(base), 'VIRTUAL_ENV': str(prefix)}
    _prepend(env, 'PATH', str(prefix / 'bin'))
    _prepend(env, 'AMENT_PREFIX_PATH', str(prefix))
    if ros.kind == 'apt':  # with wheels their own start-up file does this
        _prepend(env, 'LD_LIBRARY_PATH', str(prefix / 'lib'))
    return env | dds_profile(env, prefix / PROFILE, ros.distro)


def dds_profile(env: Mapping[str, str], profile: Path, distro: str) -> dict[str, str]:
    """Returns the variable that names our Fast DDS profile, unless the user has set one.

    With Fast DDS's own defaults a best-effort cloud of 2 MB practically never arrives in
    another process: the shared-memory segment is too small for it. Only the variable of the
    distribution is set: Kilted reads both, and complains when both name the same profile.
    """
    if any(env.get(name) for name in PROFILE_VARIABLES.values()) or not profile.is_file():
        return {}
    return {PROFILE_VARIABLES[distro]: str(profile)}


def without_foreign_wheels(env: Mapping[str, str]) -> dict[str, str]:
    """Drops what the ROS wheels of another virtual environment have left in the environment.

    Their guard variable would keep our own wheels from setting the library path.
    """
    result = {name: value for name, value in env.items() if name != WHEELS_GUARD}
    paths = env.get('LD_LIBRARY_PATH', '').split(':')
    kept = [path for path in paths if path and not _in_virtual_environment(Path(path))]
    if kept:
        result['LD_LIBRARY_PATH'] = ':'.join(kept)
    else:
        result.pop('LD_LIBRARY_PATH', None)
    return result


def _in_virtual_environment(path: Path) -> bool:
    return any((parent / 'pyvenv.cfg').is_file() for parent in path.parents)


def _prepend(env: dict[str, str], name: str, value: str) -> None:
    """Puts a folder in front of a search path, once."""
    others = [item for item in env.get(name, '').split(':') if item and item != value]
    env[name] = ':'.join((value, *others))
