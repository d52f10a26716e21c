"""What `eq doctor` looks at: interpreter, compiler, ROS, messages, libraries, transport."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
import os
from pathlib import Path
import platform
import shutil
import subprocess
import sys

from eq_bootstrap.debian import install_line
from eq_bootstrap.debian import missing_packages
from eq_bootstrap.debian import NEEDS
from eq_bootstrap.environment import PROFILE_VARIABLES
from eq_bootstrap.messages import PACKAGES
from eq_bootstrap.ros import find_ros

SHARED_MEMORY_NEEDED = 256  # [MiB] 35 for every process, and a few processes
_SET_UP = './eq demo (sets it up)'


@dataclass(frozen=True)
class Finding:
    """One part of the machine.

    Attributes:
        name: What was looked for.
        ok: Whether it is there and fit for use.
        found: Version or place.
        purpose: What needs it.
        install: Line that brings it, where there is one.
        necessary: Whether the demonstration cannot run without it.
    """

    name: str
    ok: bool
    found: str
    purpose: str
    install: str = ''
    necessary: bool = True

    def to_dict(self) -> dict[str, str | bool]:
        """Returns the fields by name."""
        return asdict(self)


def examine() -> list[Finding]:
    """Looks at every part; changes nothing and needs no network."""
    return [_python(), _compiler(), *_system_libraries(), _ros(),
            *(_messages(name) for name in PACKAGES), *_libraries(), _shared_memory(), _profile()]


def _python() -> Finding:
    return Finding('python', sys.version_info >= (3, 11), f'{platform.python_version()} '
                   f'in {sys.prefix}', 'everything', 'sudo apt-get install -y python3')


def _compiler() -> Finding:
    path = shutil.which('g++')
    version = ''
    if path:
        version = subprocess.run([path, '-dumpfullversion'], capture_output=True, text=True,
                                 check=False).stdout.strip()
    return Finding('compiler', path is not None, f'g++ {version}' if path else '-',
                   'compiling messages on the first set-up', install_line(['g++']),
                   necessary=False)


def _system_libraries() -> list[Finding]:
    missing = missing_packages()
    libraries = [name for name in NEEDS if name.startswith('lib') or name == 'python3-dev']
    purpose = {'python3-dev': 'compiling messages on the first set-up'}
    return [Finding(name, name not in missing, 'present' if name not in missing else '-',
                    purpose.get(name, 'simulation (open3d)'), install_line([name]),
                    necessary=name != 'python3-dev') for name in libraries]


def _ros() -> Finding:
    ros = find_ros()
    found = {'apt': f'{ros.distro} in {ros.prefix}', 'none': '-'}.get(ros.kind, '')
    if ros.kind == 'wheels':
        version = _version('ros-rclpy')
        found = f'{ros.distro} wheels, rclpy {version}' if version else '-'
    return Finding('ros', bool(found.strip('-')), found, 'the live graph',
                   'ROS 2 Jazzy or Kilted from apt (docs.ros.org)' if ros.kind == 'none'
                   else _SET_UP)


def _messages(name: str) -> Finding:
    problem = _import_problem(f'{name}.msg')
    return Finding(name, not problem, problem or _version(name) or 'from ROS',
                   'the live graph', _SET_UP, necessary=name == 'vision_msgs')


def _libraries() -> list[Finding]:
    rows = (('onnxruntime', 'onnxruntime', 'inference', True),
            ('openvino', 'openvino', 'faster inference', False),
            ('open3d', 'open3d-cpu', 'simulation', True),
            ('torch', 'torch', 'training and tests', False),
            ('onnx', 'onnx', 'exporting a trained model', False))
    return [Finding(module, find_spec(module) is not None, _version(package) or '-', purpose,
                    _SET_UP if needed else './eq test (sets it up)', needed)
            for module, package, purpose, needed in rows]


def _shared_memory() -> Finding:
    folder = Path('/dev/shm')
    if not folder.is_dir():
        return Finding('/dev/shm', False, '-', 'large clouds between processes', necessary=False)
    size = shutil.disk_usage(folder).total // 2 ** 20
    return Finding('/dev/shm', size >= SHARED_MEMORY_NEEDED, f'{size} MiB',
                   'large clouds between processes',
                   'in Docker: --ipc=host or --shm-size=512m', necessary=False)


def _profile() -> Finding:
    values = {name: os.environ.get(name, '') for name in PROFILE_VARIABLES.values()}
    path = next((value for value in values.values() if value), '')
    return Finding('Fast DDS profile', bool(path) and Path(path).is_file(), path or '-',
                   'large clouds between processes',
                   f'export {PROFILE_VARIABLES["kilted"]}=.../config/fastdds_profile.xml',
                   necessary=False)


def _version(package: str) -> str:
    """Version of an installed distribution, or an empty string."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ''


def _import_problem(module: str) -> str:
    """Imports a module in another process, as a broken library may end the process."""
    if find_spec(module.partition('.')[0]) is None:
        return 'not installed'
    done = subprocess.run([sys.executable, '-c', f'import {module}'], capture_output=True,
                          text=True, check=False)
    return '' if done.returncode == 0 else (done.stderr.strip().splitlines() or ['crashed'])[-1]
