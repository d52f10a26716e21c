"""Tasks of Ravens (Zeng et al., CoRL 2020), simulated by its own package.

Its cameras, oracles, motions and rewards are used as they are. Two things differ, and neither
changes what happens on the table: a step renders nothing, so that only a look is paid for, and
the views of the three cameras are joined by our own `fuse_views`.

Ravens 0.1 looks for its files in two places and imports packages that only train or draw; both
are arranged for before it is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import ctypes
from importlib.util import find_spec
import io
import os
from pathlib import Path
import random
import sys
import tempfile
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eq_core.errors import ConfigError
from eq_core.geometry.heightmap import fuse_views
from eq_core.geometry.heightmap import HeightMap
from eq_core.geometry.heightmap import Workspace
from eq_core.geometry.rgbd import RgbdView

ASSETS = Path('../shared/data/ravens_assets')
WORKSPACE = Workspace((.25, -.5, 0.), (.75, .5, .28), .003125)
HERTZ = 480
ATTEMPTS = 20
ANOTHER = 2_000_000     # from a seed to the next of the same parity, far from all others
LONGEST_STEPS = {'block-insertion': 1}  # Ravens leaves it open; others state theirs

Double = NDArray[np.float64]


class RavensTask:
    """A task of Ravens as a `PickPlaceTask`."""

    def __init__(self, name: str, assets: Path = ASSETS) -> None:
        """Starts the simulator.

        Args:
            name: Name of the task, as Ravens has it.
            assets: Folder of its models of robot and objects.

        Raises:
            ConfigError: The package or its assets are not there.
        """
        if find_spec('pybullet') is None or find_spec('ravens') is None:
            raise ConfigError('Ravens is not installed; requirements/ravens.in names it')
        if not (assets / 'ur5').is_dir():
            raise ConfigError(f'the models of Ravens are not at {assets}; they are '
                              'ravens/environments/assets of its repository')
        self._folder = tempfile.TemporaryDirectory(prefix='ravens-')
        with _silence():
            environment, tasks = _import_ravens(assets.resolve(), Path(self._folder.name))
            self._environment = environment(f'{self._folder.name}/assets/', hz=HERTZ)
        self.name = name
        self._task = tasks.names[name]()
        self._cameras = self._environment.agent_cams
        self._environment.agent_cams = []
        self._environment.set_task(self._task)
        self.max_steps = LONGEST_STEPS.get(name) or int(self._task.max_steps)
        self._goal: tuple[Any, ...] | None = None

    def reset(self, seed: int) -> None:
        """Sets an episode up.

        Raises:
            ConfigError: Ravens finds no room for the objects, again and again.
        """
        for again in range(ATTEMPTS):
            drawn = seed + again * ANOTHER
            np.random.seed(drawn)       # Ravens draws from the global generators
            random.seed(drawn)
            self._environment.seed(drawn)
            with contextlib.suppress(TypeError):    # its answer where an object found no room
                self._environment.reset()
                goals = self._task.goals
                self._goal = (goals[0] if len(goals) == 1 and goals[0][5] == 'pose'
                              and all(symmetry > 0 for _, (symmetry, _) in goals[0][0]) else None)
                return
        raise ConfigError(f'{self.name} finds no room for its objects with seed {seed}')

    def look(self) -> HeightMap:
        """Renders the three cameras."""
        return fuse_views(self.views(), WORKSPACE)

    def views(self) -> list[RgbdView]:
        """What the three cameras see."""
        return [self._view(camera) for camera in self._cameras]

    def _view(self, camera: dict[str, Any]) -> RgbdView:
        color, depth, _ = self._environment.render_camera(camera)
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_quat(camera['rotation']).as_matrix()
        pose[:3, 3] = camera['position']
        return RgbdView(color / np.float32(255), depth,
                        np.reshape(camera['intrinsics'], (3, 3)), pose)

    def show(self) -> tuple[Double, Double] | None:
        """What the oracle of Ravens would do."""
        with contextlib.redirect_stdout(io.StringIO()):     # it tells of what it does not see
            action = self._task.oracle(self._environment).act(None, None)
        return None if action is None else (_matrix(action['pose0']), _matrix(action['pose1']))

    def step(self, pick: Double, place: Double) -> tuple[float, bool]:
        """Lets the arm of Ravens pick and place."""
        with contextlib.redirect_stdout(io.StringIO()):     # it tells of moves it gives up
            _, reward, done, _ = self._environment.step(
                {'pose0': _position_and_quaternion(pick),
                 'pose1': _position_and_quaternion(place)})
        return float(reward), bool(done)

    def error(self) -> tuple[float, float] | None:
        """Largest distance of an object from the nearest of its targets.

        In space for a task in six degrees of freedom, whose own check knows the plane only; on
        the table for others, whose targets do not tell the height at which an object comes to lie.
        None where turns do not matter, or goals follow one another.
        """
        import pybullet

        if self._goal is None:
            return None
        objects, matches, targets = self._goal[:3]
        worst = (0., 0.)
        for row, (number, (symmetry, _)) in enumerate(objects):
            pose = _matrix(pybullet.getBasePositionAndOrientation(number))
            if not self._task.sixdof:
                pose[2, 3] = 0.
            near = [_matrix(targets[column]) for column in np.flatnonzero(matches[row])]
            for target in near:
                target[2, 3] *= self._task.sixdof
            worst = max(worst, min(_difference(pose, target, symmetry) for target in near))
        return worst

    def object_and_target(self) -> tuple[Double, Double]:
        """Poses (4, 4) of the first object and of its first target.

        Raises:
            ConfigError: Goals of this task are no poses.
        """
        import pybullet

        if self._goal is None:
            raise ConfigError(f'goals of {self.name} are no poses')
        (number, _), target = self._goal[0][0], self._goal[2][0]
        return _matrix(pybullet.getBasePositionAndOrientation(number)), _matrix(target)

    def close(self) -> None:
        """Ends the simulator."""
        import pybullet

        pybullet.disconnect()
        self._folder.cleanup()


def _import_ravens(assets: Path, folder: Path) -> tuple[Any, Any]:
    """Class of the environment, and module of the tasks; `folder` becomes their place of files.

    Paths of Ravens 0.1 begin at its package, at the assets, or at a folder ``assets`` in them.
    """
    if not isinstance(sys.modules.get('ravens'), _Package):
        sys.modules['ravens'] = _Package()
    for name in ('meshcat', 'meshcat.geometry', 'meshcat.transformations'):
        sys.modules.setdefault(name, ModuleType(name))      # draws in a browser
    with contextlib.redirect_stderr(io.StringIO()):         # gym tells that it is not maintained
        from ravens import tasks
        from ravens.environments.environment import Environment
        from ravens.tasks import task
    copied = folder / 'assets'
    copied.mkdir()
    for entry in assets.iterdir():
        (copied / entry.name).symlink_to(entry)
    (copied / 'assets').symlink_to(copied)
    # Templates are read, and what is made of them written, beside the module of the task.
    (folder / 'tasks').mkdir()
    task.__file__ = str(folder / 'tasks' / 'task.py')
    return Environment, tasks


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keeps what the C library of the simulator prints away from standard output."""
    sys.stdout.flush()
    kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)


class _Package(ModuleType):
    """The package without its first lines, which import a framework of training."""

    def __init__(self) -> None:
        super().__init__('ravens')
        self.__spec__ = find_spec('ravens')
        self.__path__ = list(getattr(self.__spec__, 'submodule_search_locations', ()))


def _matrix(pose: tuple[Any, Any]) -> Double:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(pose[1]).as_matrix()
    matrix[:3, 3] = pose[0]
    return matrix


def _position_and_quaternion(pose: Double) -> tuple[Double, Double]:
    return pose[:3, 3], Rotation.from_matrix(pose[:3, :3]).as_quat()


def _difference(pose: Double, target: Double, symmetry: float) -> tuple[float, float]:
    """Distance [m] and angle [deg]; turns about z by `symmetry` [rad] look alike, all if 0."""
    position = float(np.linalg.norm(pose[:3, 3] - target[:3, 3]))
    if symmetry == 0:
        return position, 0.
    turns = Rotation.from_euler('z', np.arange(0, 2 * np.pi - 1e-6, symmetry)[:, None])
    relative = Rotation.from_matrix(target[:3, :3].T @ pose[:3, :3])
    return position, float(np.degrees((turns.inv() * relative).magnitude().min()))
