"""Gazebo 11 of Debian bullseye in a folder of its own, and its server as a process."""

from __future__ import annotations

from pathlib import Path
import shlex
import shutil
import subprocess
from types import TracebackType
from typing import Self

from eq_core.errors import BackendError
from eq_eval.gazebo.classic import convert

MIRROR = 'http://deb.debian.org/debian'
PACKAGES = ('gazebo', 'gazebo-plugin-base')
INSIDE = Path('opt/eq_gazebo')      # where worlds and models are in the system


def install(system: Path) -> None:
    """Sets up a small Debian bullseye with Gazebo 11 in a folder; two minutes and 1.4 GB, as root.

    Raises:
        BackendError: debootstrap is not installed, or a step failed.
    """
    if (system / 'usr/bin/gzserver').exists():
        return
    if shutil.which('debootstrap') is None:
        raise BackendError('Gazebo 11 needs debootstrap (Debian: apt-get install debootstrap)')
    for command in (['debootstrap', '--variant=minbase', 'bullseye', str(system), MIRROR],
                    ['chroot', str(system), 'apt-get', 'install', '-y', '-q',
                     '--no-install-recommends', *PACKAGES]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BackendError(f'{shlex.join(command)} failed: {done.stderr[-500:]}')


class ClassicServer:
    """Runs `gzserver` without graphics on a world of ours."""

    def __init__(self, system: Path, folder: Path, world: str, port: int, columns: int,
                 log: Path) -> None:
        """Starts it.

        Args:
            system: Where `install` put it.
            folder: With `worlds` and `models`, as gz-sim has them.
            world: Name of the world.
            port: Of its master.
            columns: Directions of the LiDAR about its axis.
            log: Takes what it says.
        """
        convert(folder, system / INSIDE, columns)
        variables = {
            'GAZEBO_IP': '127.0.0.1', 'GAZEBO_MASTER_URI': f'http://127.0.0.1:{port}',
            'GAZEBO_MODEL_DATABASE_URI': '', 'GAZEBO_MODEL_PATH': f'/{INSIDE}/models',
            'HOME': '/tmp', 'LC_ALL': 'C'}
        # The script sets the paths of Gazebo's plugins, and a database of models that we replace.
        line = '. /usr/share/gazebo/setup.sh; exec env ' + shlex.join([
            *(f'{name}={value}' for name, value in variables.items()), 'gzserver',
            f'/{INSIDE}/worlds/{world}.sdf'])
        self._log = log.open('wb')
        self._process = subprocess.Popen(
            ['chroot', str(system), 'bash', '-c', line], stdin=subprocess.DEVNULL,
            stdout=self._log, stderr=subprocess.STDOUT)

    def check(self) -> None:
        """Makes sure that it still runs.

        Raises:
            BackendError: It has ended.
        """
        if self._process.poll() is not None:
            raise BackendError(f'gzserver ended with exit code {self._process.returncode}, '
                               f'see {self._log.name}')

    def __enter__(self) -> Self:
        """Nothing more to do."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Ends it."""
        self._process.terminate()
        try:
            self._process.wait(20.)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()
