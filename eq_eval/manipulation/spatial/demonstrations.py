"""What was shown of a spatial task: points before every action, and the poses of the tool."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.heightmap import Workspace
from eq_core.geometry.rgbd import joined_points
from eq_core.geometry.voxels import VoxelGrid
from eq_core.geometry.voxels import voxels_of_points
from eq_eval.manipulation.recording import PATIENCE
from eq_eval.manipulation.recording import SOLVED
from eq_eval.manipulation.spatial.task import TaskInSpace
from eq_eval.manipulation.spatial.world import CUBE
from eq_manipulation.spatial.gathering import gather

VERSION = 1
JOINED = .012   # points of one body have another one so near [m]
GONE = .008     # a point that has none so near after an action was carried away [m]

Float = NDArray[np.float32]
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SpatialDemonstration:
    """One action that was shown.

    Attributes:
        xyz: (N, 3) float32 points seen before it [m].
        color: (N, 3) float32 of those, in [0, 1].
        carried: (N,) bool, which of them were gone after it: those of the object.
        workspace: The cube.
        pick: (4, 4) pose of the tool at the pick.
        place: (4, 4) pose at the release.
        episode: Number of the episode.
    """

    xyz: Float
    color: Float
    carried: NDArray[np.bool_]
    workspace: Workspace
    pick: Double
    place: Double
    episode: int

    def voxels(self) -> VoxelGrid:
        """The cube in voxels."""
        return voxels_of_points(self.xyz, self.color, self.workspace)


def show_demonstrations(task: TaskInSpace, episodes: int) -> list[SpatialDemonstration]:
    """Lets the oracle act in the first episodes of even seed that it solves; tests have odd ones.

    What stands on a table is gathered; there bodies are apart, so that the one that is picked is
    what is carried.

    Raises:
        ConfigError: The oracle hardly ever solves the task.
    """
    shown: list[SpatialDemonstration] = []
    for seed in range(0, 2 * PATIENCE * episodes, 2):
        task.reset(seed)
        xyz, color = joined_points(task.views())
        action = task.show()
        if action is None or task.step(*action)[0] < SOLVED:
            continue
        if task.table is None:
            after, _ = joined_points(task.views())
            carried = carried_points(xyz, after, action[0][:3, 3])
            shown.append(SpatialDemonstration(xyz, color, carried, CUBE, *action, seed))
        else:
            near = gather(xyz, color, task.table, CUBE)
            pick, place = near.forth(np.stack(action))
            carried = near.body == near.body_at(pick[None, :3, 3])
            shown.append(SpatialDemonstration(near.xyz, near.color, carried, CUBE, pick, place,
                                              seed))
        if len(shown) == episodes:
            return shown
    raise ConfigError(f'the oracle of {task.name} solved {len(shown)} of {PATIENCE * episodes} '
                      'episodes')


def carried_points(before: Float, after: Float, pick: Double) -> NDArray[np.bool_]:
    """Tells which points were carried away.

    Not all that are gone were: the object may hide others where it is now.

    Args:
        before: (N, 3) points [m].
        after: (M, 3) points seen after the action.
        pick: (3,) where the object was held.

    Returns:
        (N,): those that are gone and hang together with what was held.
    """
    gone = np.flatnonzero(KDTree(after).query(before)[0] > GONE)
    carried = np.zeros(len(before), bool)
    if len(gone):
        points = before[gone]
        pairs = KDTree(points).query_pairs(JOINED, output_type='ndarray')
        graph = coo_matrix((np.ones(len(pairs)), pairs.T), (len(gone), len(gone)))
        _, part = connected_components(graph, directed=False)
        carried[gone[part == part[np.linalg.norm(points - pick, axis=-1).argmin()]]] = True
    return carried


def save_spatial(path: Path, shown: list[SpatialDemonstration]) -> None:
    """Writes demonstrations to an npz file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    space = shown[0].workspace
    np.savez_compressed(
        path, version=VERSION, xyz=np.concatenate([each.xyz for each in shown]),
        color=np.concatenate([each.color for each in shown]),
        carried=np.concatenate([each.carried for each in shown]),
        count=[len(each.xyz) for each in shown], pick=[each.pick for each in shown],
        place=[each.place for each in shown], episode=[each.episode for each in shown],
        lower=space.lower, upper=space.upper, resolution=space.resolution)


def load_spatial(path: Path, episodes: int | None = None) -> list[SpatialDemonstration]:
    """Reads what `save_spatial` wrote.

    Args:
        path: The npz file.
        episodes: How many episodes, the first ones; all if None.

    Raises:
        InputError: The file is of another version or lacks something.
    """
    with np.load(path) as data:
        try:
            if int(data['version']) != VERSION:
                raise InputError(f'{path}: version must be {VERSION}, got {data["version"]}')
            space = Workspace(tuple(data['lower']), tuple(data['upper']),
                              float(data['resolution']))
            ends = np.cumsum(data['count'])[:-1]
            points = [np.split(data[name], ends) for name in ('xyz', 'color', 'carried')]
            rows = zip(*points, data['pick'], data['place'], data['episode'].tolist(),
                       strict=True)
        except KeyError as error:
            raise InputError(f'{path}: no demonstrations, {error} is missing') from error
        shown = [SpatialDemonstration(xyz, color, carried, space, pick, place, episode)
                 for xyz, color, carried, pick, place, episode in rows]
    kept = sorted({each.episode for each in shown})[:episodes]
    return [each for each in shown if each.episode in kept]
