"""What was shown of a spatial task: points before every action, and the poses of the tool."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.heightmap import Workspace
from eq_core.geometry.voxels import VoxelGrid
from eq_core.geometry.voxels import voxels_of_points
from eq_eval.manipulation.spatial.tasks import SpatialTask
from eq_eval.manipulation.spatial.world import CUBE

VERSION = 1

Float = NDArray[np.float32]
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SpatialDemonstration:
    """One action that was shown.

    Attributes:
        xyz: (N, 3) float32 points seen before it [m].
        color: (N, 3) float32 of those, in [0, 1].
        workspace: The cube.
        pick: (4, 4) pose of the tool at the pick.
        place: (4, 4) pose at the release.
        episode: Number of the episode.
    """

    xyz: Float
    color: Float
    workspace: Workspace
    pick: Double
    place: Double
    episode: int

    def voxels(self) -> VoxelGrid:
        """The cube in voxels."""
        return voxels_of_points(self.xyz, self.color, self.workspace)


def show_demonstrations(task: SpatialTask, episodes: int) -> list[SpatialDemonstration]:
    """Lets the oracle act in the first episodes of even seed; those of tests are odd."""
    shown = []
    for seed in range(0, 2 * episodes, 2):
        task.reset(seed)
        seen = [view.points() for view in task.views()]
        xyz, color = (np.concatenate(part) for part in zip(*seen, strict=True))
        action = task.show()
        if action is not None:
            shown.append(SpatialDemonstration(xyz, color, CUBE, *action, seed))
    return shown


def save_spatial(path: Path, shown: list[SpatialDemonstration]) -> None:
    """Writes demonstrations to an npz file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    space = shown[0].workspace
    np.savez_compressed(
        path, version=VERSION, xyz=np.concatenate([each.xyz for each in shown]),
        color=np.concatenate([each.color for each in shown]),
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
            rows = zip(np.split(data['xyz'], ends), np.split(data['color'], ends), data['pick'],
                       data['place'], data['episode'].tolist(), strict=True)
        except KeyError as error:
            raise InputError(f'{path}: no demonstrations, {error} is missing') from error
        shown = [SpatialDemonstration(xyz, color, space, pick, place, episode)
                 for xyz, color, pick, place, episode in rows]
    kept = sorted({each.episode for each in shown})[:episodes]
    return [each for each in shown if each.episode in kept]
