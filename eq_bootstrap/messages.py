"""Generates, compiles and installs the message packages that the machine lacks."""

from __future__ import annotations

from collections.abc import Sequence
import os
from pathlib import Path
import shutil
import sys
import sysconfig
import tempfile
import xml.etree.ElementTree as ElementTree

from eq_bootstrap.debian import has_compiler
from eq_bootstrap.debian import has_headers
from eq_bootstrap.layout import digest
from eq_bootstrap.layout import Layout
from eq_bootstrap.locking import locked
from eq_bootstrap.progress import run_step
from eq_bootstrap.progress import say
from eq_bootstrap.requirements import pip
from eq_bootstrap.ros import has_package
from eq_bootstrap.ros import Ros
from eq_bootstrap.ros import sourced_environment
from eq_bootstrap.toolchain import make_toolchain
from eq_bootstrap.toolchain import toolchain_environment
from eq_bootstrap.wheel import pack_wheel
from eq_bootstrap.wheel import wheel_tag

PACKAGES = ('vision_msgs', 'tf2_msgs', 'map_msgs', 'eq_msgs')


def missing_messages(ros: Ros) -> tuple[str, ...]:
    """Message packages that the ROS of this machine does not bring."""
    if ros.kind == 'none':
        return ()
    if ros.prefix is None:
        return PACKAGES
    prefixes = f'{ros.prefix}:{os.environ.get("AMENT_PREFIX_PATH", "")}'
    return tuple(name for name in PACKAGES if not has_package(name, prefixes))


def package_key(layout: Layout, name: str, ros: Ros) -> str:
    """Changes when a package has to be generated and compiled again."""
    folder = layout.root / 'interfaces' / name
    files = sorted(path for path in folder.rglob('*') if path.is_file())
    pins = [path for group in ('ros', 'messages')
            for path in [layout.root / 'requirements' / f'{group}.in']]
    return digest(*(str(path.relative_to(folder)) for path in files), *files, *pins,
                  layout.root / 'requirements' / 'lock.txt', Path(__file__),
                  str(sysconfig.get_config_var('SOABI')), ros.kind, str(ros.prefix))[:16]


def messages_key(layout: Layout, names: Sequence[str], ros: Ros) -> str:
    """Changes when the messages of the environment have to be installed again."""
    return digest(sys.version, *(package_key(layout, name, ros) for name in names))


def install_messages(layout: Layout, names: Sequence[str], ros: Ros,
                     env: dict[str, str]) -> None:
    """Installs wheels of message packages, and makes those that the cache does not have.

    Raises:
        SetupError: A build failed.
    """
    if not (has_compiler() and has_headers()):
        say(f'no C++ compiler or Python headers: {", ".join(names)} are left out, and markers, '
            'clouds, paths and poses still go out; see `./eq doctor`')
        return
    with locked(layout.cache / 'messages.lock'):
        wheels = [_wheel(layout, name, ros) for name in names]
    run_step(f'installing messages: {" ".join(names)}',
             [*pip(layout.python), 'install', '--no-index', '--no-deps', '--force-reinstall',
              *wheels], layout.log, env)
    layout.write_stamp('messages', messages_key(layout, names, ros))


def _wheel(layout: Layout, name: str, ros: Ros) -> Path:
    """Returns the wheel of one package from the cache, after building it where needed."""
    folder = layout.cache / 'wheels' / f'{name}-{package_key(layout, name, ros)}'
    present = sorted(folder.glob('*.whl'))
    if present:
        return present[0]
    version = ElementTree.parse(layout.root / 'interfaces' / name / 'package.xml').findtext(
        'version', '0')
    with tempfile.TemporaryDirectory(prefix='eq_messages_') as scratch:
        tree = _build(layout, name, ros, Path(scratch))
        return pack_wheel(tree, name, version, wheel_tag(), folder)


def _build(layout: Layout, name: str, ros: Ros, scratch: Path) -> Path:
    """Generates and compiles one package; returns the installed tree."""
    tools = make_toolchain(layout) if ros.prefix is None else ros.prefix
    env = (toolchain_environment(tools) if ros.prefix is None
           else sourced_environment(ros.prefix))
    python = tools / 'bin' / 'python' if ros.prefix is None else '/usr/bin/python3'
    ninja = shutil.which('ninja', path=env['PATH'])
    run_step(f'generating messages: {name}', [
        'cmake', *(('-G', 'Ninja') if ninja else ()),
        '-S', layout.root / 'interfaces' / name, '-B', scratch / 'build',
        f'-DCMAKE_PREFIX_PATH={tools}', f'-DPython3_EXECUTABLE={python}',
        f'-DCMAKE_INSTALL_PREFIX={scratch / "install"}', '-DCMAKE_BUILD_TYPE=Release',
        '-DBUILD_TESTING=OFF', '-DEQ_PYTHON_ONLY=ON'], layout.log, env)
    jobs = str(min(os.cpu_count() or 1, 4))
    run_step(f'compiling messages: {name}',
             ['cmake', '--build', scratch / 'build', '-j', jobs], layout.log, env)
    run_step(f'packing messages: {name}',
             ['cmake', '--install', scratch / 'build'], layout.log, env)
    return scratch / 'install'
