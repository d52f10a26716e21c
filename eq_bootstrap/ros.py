"""Which ROS 2 this machine has: an apt installation, wheels from PyPI, or none."""

from __future__ import annotations

from dataclasses import dataclass
import os
from pathlib import Path
import platform
import subprocess
import sys

ROS_ROOT = Path('/opt/ros')
APT_DISTROS = ('kilted', 'jazzy')  # the first one found is used
WHEEL_PYTHONS = ((3, 11), (3, 14))  # first and last version with Kilted wheels that we support
WHEELS_GUARD = '_ROS_WHEELS_BOOTSTRAP_COMPLETE'


@dataclass(frozen=True)
class Ros:
    """The ROS 2 to use.

    Attributes:
        kind: 'apt', 'wheels', or 'none' (everything offline still works).
        prefix: Installation folder of an apt ROS, such as /opt/ros/jazzy; else None.
    """

    kind: str
    prefix: Path | None = None

    @property
    def distro(self) -> str:
        """Name of the distribution."""
        return self.prefix.name if self.prefix else 'kilted'


def find_ros(root: Path = ROS_ROOT) -> Ros:
    """Finds the ROS of this machine; a distribution that the user has sourced goes first."""
    sourced = os.environ.get('ROS_DISTRO', '')
    for distro in sorted(APT_DISTROS, key=lambda name: name != sourced):
        if (root / distro / 'setup.bash').is_file():
            return Ros('apt', root / distro)
    return Ros('wheels') if wheels_exist() else Ros('none')


def wheels_exist() -> bool:
    """Whether PyPI has ROS wheels for this machine (x86-64 Linux only)."""
    first, last = WHEEL_PYTHONS
    return (sys.platform == 'linux' and platform.machine() == 'x86_64'
            and first <= sys.version_info[:2] <= last)


def sourced_environment(prefix: Path) -> dict[str, str]:
    """Returns our environment after `source <prefix>/setup.bash`.

    Args:
        prefix: Folder of an apt ROS.
    """
    if os.environ.get('ROS_DISTRO') == prefix.name and os.environ.get('AMENT_PREFIX_PATH'):
        return dict(os.environ)  # sourced already, perhaps with a workspace on top: keep it
    command = f'set +u; source "{prefix}/setup.bash" >/dev/null && env -0'
    output = subprocess.run(['bash', '-c', command], capture_output=True, check=True).stdout
    pairs = (item.partition('=') for item in output.decode().split('\0') if '=' in item)
    return {name: value for name, _, value in pairs}


def has_package(name: str, prefixes: str) -> bool:
    """Whether an ament package is registered under one of the prefixes (colon separated)."""
    marker = Path('share/ament_index/resource_index/packages') / name
    return any((Path(prefix) / marker).is_file() for prefix in prefixes.split(':') if prefix)
