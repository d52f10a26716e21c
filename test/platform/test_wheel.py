"""A generated package becomes a wheel that pip accepts and that installs where ROS looks."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys
import zipfile

import pytest

from eq_bootstrap.wheel import pack_wheel
from eq_bootstrap.wheel import wheel_tag


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An installed ament tree in small."""
    files = {
        'lib/libdemo_msgs__rosidl_generator_c.so': 'binary',
        'lib/python3.11/site-packages/demo_msgs/__init__.py': 'ANSWER = 42\n',
        'lib/python3.11/site-packages/demo_msgs/__pycache__/__init__.cpython-311.pyc': '',
        'lib/python3.11/site-packages/demo_msgs/_demo_s.c': 'int x;',
        'include/demo_msgs/demo.h': '',
        'share/ament_index/resource_index/packages/demo_msgs': '',
        'share/demo_msgs/msg/Demo.msg': 'uint8 x\n',
    }
    for name, text in files.items():
        path = tmp_path / 'tree' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / 'tree'


def test_pip_installs_the_wheel_into_package_library_and_share(tree: Path,
                                                               tmp_path: Path) -> None:
    wheel = pack_wheel(tree, 'demo_msgs', '1.2.3', wheel_tag(), tmp_path / 'wheels')
    target = tmp_path / 'prefix'
    subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', '--no-index', '--no-deps',
                    '--ignore-installed', '--disable-pip-version-check',
                    '--prefix', target, wheel], check=True)
    installed = {path.name for path in target.rglob('*') if path.is_file()}
    assert (target / 'lib/libdemo_msgs__rosidl_generator_c.so').is_file()
    assert (target / 'share/ament_index/resource_index/packages/demo_msgs').is_file()
    assert (target / 'share/demo_msgs/msg/Demo.msg').is_file()
    assert len(list(target.rglob('demo_msgs/__init__.py'))) == 1
    assert not installed & {'demo.h', '_demo_s.c'}


def test_equal_trees_give_equal_wheels(tree: Path, tmp_path: Path) -> None:
    wheels = [pack_wheel(tree, 'demo_msgs', '1.0', 'py3-none-any', tmp_path / name)
              for name in ('a', 'b')]
    assert wheels[0].read_bytes() == wheels[1].read_bytes()


def test_record_lists_every_file(tree: Path, tmp_path: Path) -> None:
    wheel = pack_wheel(tree, 'demo_msgs', '1.0', 'py3-none-any', tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        record = archive.read('demo_msgs-1.0.dist-info/RECORD').decode()
        assert [line.split(',')[0] for line in record.splitlines()] == archive.namelist()
