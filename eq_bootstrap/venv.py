"""The virtual environment of a checkout, and the checkout's place in it."""

from __future__ import annotations

from pathlib import Path
import shutil
import sys
import sysconfig

from eq_bootstrap.layout import digest
from eq_bootstrap.layout import Layout
from eq_bootstrap.progress import run_step
from eq_bootstrap.ros import Ros

_LINKED = ('config', 'gazebo', 'launch', 'models', 'package.xml')
# A first line that the shell and Python both understand, as it may hold spaces (pip's way).
_SCRIPT = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys
from {module} import main
sys.exit(main())
"""
_COMMANDS = {
    'eq': 'eq_eval.cli.main',
    'lidar_detector': 'eq_perception.nodes.lidar_detector',
    'panoptic_segmenter': 'eq_perception.nodes.panoptic_segmenter',
    'graph_planner': 'eq_navigation.nodes.graph_planner',
    'path_follower': 'eq_navigation.nodes.path_follower',
    'semantic_costmap': 'eq_navigation.nodes.semantic_costmap',
    'pick_place_policy': 'eq_manipulation.nodes.pick_place_policy',
}


def venv_key(ros: Ros) -> str:
    """Changes when the environment has to be made anew."""
    return digest(sys.version, sys.base_prefix, ros.kind, str(ros.prefix))


def make_venv(layout: Layout, ros: Ros) -> None:
    """Makes the virtual environment, from scratch where the interpreter or ROS has changed.

    Raises:
        SetupError: The interpreter cannot make one.
    """
    if layout.read_stamp('venv') == venv_key(ros) and layout.python.exists():
        return
    if layout.venv.exists():
        shutil.rmtree(layout.venv)
    flags = ['--system-site-packages'] if ros.kind == 'apt' else []
    # The interpreter of an apt ROS is the system's; its packages are invisible to any other.
    python = '/usr/bin/python3' if ros.kind == 'apt' else sys.executable
    layout.state.mkdir(parents=True)
    run_step(f'making {layout.venv.name}', [python, '-m', 'venv', *flags, layout.venv],
             layout.log)
    layout.write_stamp('venv', venv_key(ros))


def link_key(layout: Layout) -> str:
    """Changes when the checkout has moved or the set of links has grown."""
    present = [name for name in _LINKED if (layout.root / name).exists()]
    return digest(str(layout.root), repr(present), repr(_COMMANDS))


def link_checkout(layout: Layout) -> None:
    """Makes the checkout importable and visible to ROS, as `colcon build --symlink-install`."""
    site = Path(sysconfig.get_path('purelib', 'venv', {'base': str(layout.venv)}))
    (site / 'eq_stack.pth').write_text(f'{layout.root}\n', encoding='utf-8')
    share = layout.venv / 'share'
    marker = share / 'ament_index' / 'resource_index' / 'packages' / 'eq_stack'
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    (share / 'eq_stack').mkdir(exist_ok=True)
    for name in _LINKED:
        if (layout.root / name).exists():
            _link(share / 'eq_stack' / name, layout.root / name)
    if (layout.root / 'scripts').exists():
        _link(layout.venv / 'lib' / 'eq_stack', layout.root / 'scripts')
    for name, module in _COMMANDS.items():
        script = layout.venv / 'bin' / name
        script.write_text(_SCRIPT.format(python=layout.python, module=module), encoding='utf-8')
        script.chmod(0o755)
    layout.write_stamp('link', link_key(layout))


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)
