"""The bootstrap decides right: which ROS, which packages, which environment, and when."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
import re
import subprocess
import sys
import threading
import time

import pytest

from eq_bootstrap import debian
from eq_bootstrap import messages
from eq_bootstrap import requirements
from eq_bootstrap import venv
from eq_bootstrap.environment import dds_profile
from eq_bootstrap.environment import PROFILE
from eq_bootstrap.environment import PROFILE_VARIABLES
from eq_bootstrap.environment import runtime_environment
from eq_bootstrap.environment import without_foreign_wheels
from eq_bootstrap.layout import Layout
from eq_bootstrap.layout import SetupError
from eq_bootstrap.locking import locked
from eq_bootstrap.main import is_ready
from eq_bootstrap.progress import run_step
from eq_bootstrap.ros import find_ros
from eq_bootstrap.ros import Ros
from eq_bootstrap.ros import sourced_environment
from eq_bootstrap.ros import WHEELS_GUARD
from eq_eval.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
WHEELS = Ros('wheels')


def make_distro(root: Path, name: str) -> Path:
    """Makes a folder that looks like an installed distribution."""
    (root / name).mkdir(parents=True)
    (root / name / 'setup.bash').write_text(
        f'export ROS_DISTRO={name}\nexport AMENT_PREFIX_PATH={root / name}\n'
        f"export LD_LIBRARY_PATH={root / name}/lib\nexport MULTILINE=$'a\\nb'\n")
    return root / name


def make_layout(folder: Path, repository: Path) -> Layout:
    """A checkout of its own that shares the requirements and interfaces of this one."""
    for name in ('requirements', 'interfaces'):
        (folder / 'checkout' / name).parent.mkdir(exist_ok=True)
        (folder / 'checkout' / name).symlink_to(repository / name)
    return Layout(folder / 'checkout', folder / 'checkout' / '.venv', folder / 'cache')


# --- which ROS -----------------------------------------------------------------------------

def test_apt_ros_is_preferred_to_wheels(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv('ROS_DISTRO', raising=False)
    prefix = make_distro(tmp_path, 'jazzy')
    assert find_ros(tmp_path) == Ros('apt', prefix)


def test_sourced_distribution_goes_first(tmp_path: Path, monkeypatch) -> None:
    make_distro(tmp_path, 'kilted')
    jazzy = make_distro(tmp_path, 'jazzy')
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    assert find_ros(tmp_path).prefix == jazzy


@pytest.mark.parametrize(('system', 'machine', 'kind'), [
    ('linux', 'x86_64', 'wheels'), ('linux', 'aarch64', 'none'), ('darwin', 'arm64', 'none')])
def test_wheels_are_for_intel_linux_only(tmp_path: Path, monkeypatch, system: str, machine: str,
                                         kind: str) -> None:
    monkeypatch.setattr('sys.platform', system)
    monkeypatch.setattr('platform.machine', lambda: machine)
    assert find_ros(tmp_path).kind == kind


def test_environment_of_an_apt_ros_comes_from_its_setup_file(tmp_path: Path,
                                                             monkeypatch) -> None:
    monkeypatch.delenv('ROS_DISTRO', raising=False)
    env = sourced_environment(make_distro(tmp_path, 'jazzy'))
    assert env['ROS_DISTRO'] == 'jazzy'
    assert env['MULTILINE'] == 'a\nb'
    assert env['PATH'] == os.environ['PATH']


def test_apt_robot_gets_no_second_rclpy(tmp_path: Path) -> None:
    apt = Ros('apt', tmp_path)
    for command in ('demo', 'test', 'train'):
        assert 'ros' not in requirements.groups_for([command], apt)
        assert 'ros' in requirements.groups_for([command], WHEELS)


def test_only_missing_messages_are_built(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv('AMENT_PREFIX_PATH', '')
    prefix = make_distro(tmp_path, 'jazzy')
    marker = prefix / 'share/ament_index/resource_index/packages/vision_msgs'
    marker.parent.mkdir(parents=True)
    marker.touch()
    assert messages.missing_messages(Ros('apt', prefix)) == ('tf2_msgs', 'map_msgs', 'eq_msgs')
    assert messages.missing_messages(WHEELS) == messages.PACKAGES
    assert messages.missing_messages(Ros('none')) == ()


# --- which requirements --------------------------------------------------------------------

@pytest.mark.parametrize('words', [['--help'], ['doctor', '--json'], ['demo', '--help'], []])
def test_asking_for_help_installs_little(words: list[str]) -> None:
    assert requirements.groups_for(words, WHEELS) == ('base',)


def test_tests_need_every_group_and_a_demonstration_no_torch() -> None:
    assert requirements.groups_for(['test'], WHEELS) == requirements.GROUPS
    others = {'build-engine', 'calibrate', 'doctor', 'plan', 'quantize', 'test', 'train', 'view'}
    for command in set(COMMANDS) - others:
        assert set(requirements.groups_for([command], WHEELS)) == {'base', 'ros', 'sim'}
    assert requirements.groups_for(['plan', 'map.yaml'], WHEELS) == ('base',)
    assert 'view' in requirements.groups_for(['view', 'rerun'], WHEELS)
    assert requirements.groups_for(['build-engine', 'models/kit'], WHEELS) == ('base',)
    for command in ('calibrate', 'quantize'):
        assert 'train' in requirements.groups_for([command, 'models/one'], WHEELS)
    assert 'train' in requirements.groups_for(['bench', 'planner', '--quick'], WHEELS)
    assert 'train' in requirements.groups_for(['bench', 'spatial', '--quick'], WHEELS)
    assert 'train' not in requirements.groups_for(['up', 'policy'], WHEELS)


def test_group_is_installed_again_when_its_pins_change(tmp_path: Path, repository) -> None:
    layout = make_layout(tmp_path, repository)
    layout.write_stamp('group-base', requirements.group_key(layout, 'base'))
    assert requirements.pending_groups(layout, ['base', 'sim']) == ['sim']
    text = (repository / 'requirements' / 'lock.txt').read_text()
    (layout.root / 'requirements').unlink()
    (layout.root / 'requirements').mkdir()
    (layout.root / 'requirements' / 'base.in').write_text('numpy\n')
    (layout.root / 'requirements' / 'lock.txt').write_text(text)
    assert requirements.pending_groups(layout, ['base']) == ['base']


def test_every_requirement_is_pinned(repository: Path) -> None:
    folder = repository / 'requirements'
    pins = {line.partition('==')[0] for line in (folder / 'lock.txt').read_text().splitlines()
            if '==' in line}
    for group in (*requirements.GROUPS, 'messages'):
        names = [line for line in (folder / f'{group}.in').read_text().splitlines()
                 if line and not line.startswith('#')]
        assert names
        for name in names:
            assert re.split(r'[\[<; ]', name.lower())[0] in pins, (group, name)


def test_robot_requirements_hold_no_ros_wheel_and_no_torch(repository: Path) -> None:
    base = (repository / 'requirements' / 'base.in').read_text()
    assert 'ros-' not in base
    assert 'torch' not in base
    assert 'open3d' not in base


# --- which environment ---------------------------------------------------------------------

def test_profile_is_set_for_the_fast_dds_of_the_distribution(tmp_path: Path, monkeypatch) -> None:
    for name in PROFILE_VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    (tmp_path / PROFILE).parent.mkdir(parents=True)
    (tmp_path / PROFILE).touch()
    env = runtime_environment(tmp_path, WHEELS)
    assert env['FASTDDS_DEFAULT_PROFILES_FILE'] == str(tmp_path / PROFILE)
    assert 'FASTRTPS_DEFAULT_PROFILES_FILE' not in env
    assert env['AMENT_PREFIX_PATH'].split(':')[0] == str(tmp_path)
    assert env['PATH'].split(':')[0] == str(tmp_path / 'bin')
    assert dds_profile({}, tmp_path / PROFILE, 'jazzy') == {
        'FASTRTPS_DEFAULT_PROFILES_FILE': str(tmp_path / PROFILE)}


@pytest.mark.parametrize('name', PROFILE_VARIABLES.values())
def test_profile_of_the_user_stands(tmp_path: Path, name: str) -> None:
    (tmp_path / 'ours.xml').touch()
    assert dds_profile({name: 'theirs.xml'}, tmp_path / 'ours.xml', 'kilted') == {}


def test_traces_of_another_environment_are_dropped(tmp_path: Path) -> None:
    (tmp_path / 'other' / 'lib').mkdir(parents=True)
    (tmp_path / 'other' / 'pyvenv.cfg').touch()
    env = {WHEELS_GUARD: '1', 'LD_LIBRARY_PATH': f'{tmp_path / "other" / "lib"}:/opt/cuda/lib'}
    assert without_foreign_wheels(env) == {'LD_LIBRARY_PATH': '/opt/cuda/lib'}


def test_apt_environment_finds_libraries_of_our_messages(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv('ROS_DISTRO', raising=False)
    prefix = make_distro(tmp_path, 'jazzy')
    env = runtime_environment(tmp_path / 'venv', Ros('apt', prefix))
    assert env['LD_LIBRARY_PATH'].split(':') == [str(tmp_path / 'venv/lib'), f'{prefix}/lib']
    assert env['AMENT_PREFIX_PATH'].split(':') == [str(tmp_path / 'venv'), str(prefix)]


# --- when ----------------------------------------------------------------------------------

def test_nothing_is_ready_before_the_set_up_and_all_after_it(tmp_path: Path,
                                                             repository: Path) -> None:
    layout = make_layout(tmp_path, repository)
    assert not is_ready(layout, WHEELS, ['demo'])
    layout.python.parent.mkdir(parents=True)
    layout.python.touch()
    layout.write_stamp('venv', venv.venv_key(WHEELS))
    layout.write_stamp('link', venv.link_key(layout))
    for group in ('base', 'ros', 'sim'):
        layout.write_stamp(f'group-{group}', requirements.group_key(layout, group))
    assert is_ready(layout, WHEELS, ['doctor'])
    assert not is_ready(layout, WHEELS, ['demo'])
    layout.write_stamp('messages',
                       messages.messages_key(layout, messages.PACKAGES, WHEELS))
    assert is_ready(layout, WHEELS, ['demo'])
    assert not is_ready(layout, WHEELS, ['test'])


def test_changed_definition_builds_the_messages_again(tmp_path: Path, repository) -> None:
    layout = make_layout(tmp_path, repository)
    before = messages.package_key(layout, 'eq_msgs', WHEELS)
    (layout.root / 'interfaces').unlink()
    folder = layout.root / 'interfaces' / 'eq_msgs' / 'msg'
    folder.mkdir(parents=True)
    (folder / 'PipelineStatus.msg').write_text('uint64 received\n')
    assert messages.package_key(layout, 'eq_msgs', WHEELS) != before


def test_second_process_waits_for_the_first(tmp_path: Path) -> None:
    order: list[str] = []
    holder = subprocess.Popen(
        [sys.executable, '-c', 'import pathlib, sys\nfrom eq_bootstrap.locking import locked\n'
         'with locked(pathlib.Path(sys.argv[1])):\n    print("held", flush=True)\n'
         '    sys.stdin.read()\n', str(tmp_path / 'lock')],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=ROOT)
    assert holder.stdout.readline() == 'held\n'

    def wait() -> None:
        with locked(tmp_path / 'lock'):
            order.append('second')

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)  # long enough for a lock that does not hold to show it
    order.append('first')
    holder.communicate()
    thread.join(60)
    assert order == ['first', 'second']


def test_lock_outlives_its_holder_as_long_as_a_step_runs(tmp_path: Path) -> None:
    code = ('import pathlib, sys\nfrom eq_bootstrap.locking import locked\n'
            'from eq_bootstrap.progress import run_step\nfolder = pathlib.Path(sys.argv[1])\n'
            'with locked(folder / "lock"):\n'
            '    run_step("x", ["sh", "-c", "read line < fifo; touch done"], folder / "log")\n')
    os.mkfifo(tmp_path / 'fifo')
    holder = subprocess.Popen([sys.executable, '-c', code, str(tmp_path)], cwd=tmp_path,
                              env={**os.environ, 'PYTHONPATH': str(ROOT)})
    with (tmp_path / 'fifo').open('w') as fifo:  # opens when the step reads
        holder.kill()
        holder.wait()
        with (tmp_path / 'lock').open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fifo.write('go on\n')
    with locked(tmp_path / 'lock'):
        assert (tmp_path / 'done').exists()


def test_cache_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(SetupError, match='XDG_CACHE_HOME'), locked(tmp_path / 'file' / 'lock'):
        pass


def test_failed_step_says_what_failed_and_where_its_output_is(tmp_path: Path, capsys) -> None:
    command = [sys.executable, '-c', 'print("no network"); raise SystemExit(3)']
    with pytest.raises(SetupError, match=r'installing x: failed with code 3.*log'):
        run_step('installing x', command, tmp_path / 'log')
    assert 'no network' in capsys.readouterr().err
    assert 'no network' in (tmp_path / 'log').read_text()


def test_user_without_root_gets_one_line_to_paste(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(debian, 'NEEDS', {'g++': lambda: False, 'libgl1': lambda: False,
                                          'libgomp1': lambda: True})
    monkeypatch.setattr('os.geteuid', lambda: 1000)
    debian.install_missing(tmp_path / 'log')
    assert 'sudo apt-get install -y g++ libgl1\n' in capsys.readouterr().err


def test_root_installs_what_is_missing_itself(tmp_path: Path, monkeypatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(debian, 'NEEDS', {'g++': lambda: False, 'libgomp1': lambda: True})
    monkeypatch.setattr('os.geteuid', lambda: 0)
    monkeypatch.setattr('shutil.which', lambda name: f'/usr/bin/{name}')
    monkeypatch.setattr(debian, 'run_step',
                        lambda title, command, log, env: calls.append(command))
    debian.install_missing(tmp_path / 'log')
    assert calls[-1][:2] == ['apt-get', 'install']
    assert calls[-1][-1] == 'g++'


def test_messages_are_left_out_without_a_compiler(tmp_path: Path, repository, monkeypatch,
                                                  capsys) -> None:
    monkeypatch.setattr(messages, 'has_compiler', lambda: False)
    layout = make_layout(tmp_path, repository)
    messages.install_messages(layout, messages.PACKAGES, WHEELS, {})
    assert 'eq doctor' in capsys.readouterr().err
    assert layout.read_stamp('messages') == ''
