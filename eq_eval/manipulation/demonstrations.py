"""What somebody showed: a look at the table, where it was picked, and where it was placed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.heightmap import HeightMap
from eq_core.geometry.heightmap import Workspace

Double = NDArray[np.float64]
_ARRAYS = ('height', 'color', 'seen', 'pick', 'place', 'episode', 'lower', 'upper', 'resolution')


@dataclass(frozen=True, eq=False)
class Demonstration:
    """One action that somebody showed.

    Attributes:
        heightmap: The table before.
        pick: (4, 4) float64 pose of the tool at the pick, in the frame of the heightmap.
        place: (4, 4) float64 pose of the tool at the release.
        episode: Number of the episode (its seed); one may have several actions, in order.
    """

    heightmap: HeightMap
    pick: Double
    place: Double
    episode: int


def save_demonstrations(path: Path, shown: Sequence[Demonstration]) -> None:
    """Writes demonstrations of one workspace into one file.

    Args:
        path: The npz file; heights are kept to 0.1 mm and colours to 1/255.
        shown: At least one.
    """
    maps, space = [each.heightmap for each in shown], shown[0].heightmap.workspace
    partial = path.with_suffix('.partial.npz')
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        partial, height=np.rint(np.stack([each.height for each in maps]) * 1e4).astype(np.uint16),
        color=np.rint(np.stack([each.color for each in maps]) * 255).astype(np.uint8),
        seen=np.stack([each.seen for each in maps]),
        pick=np.stack([each.pick for each in shown]),
        place=np.stack([each.place for each in shown]),
        episode=np.array([each.episode for each in shown]),
        lower=space.lower, upper=space.upper, resolution=space.resolution)
    partial.replace(path)


def load_demonstrations(path: Path, episodes: int | None = None) -> list[Demonstration]:
    """Reads what `save_demonstrations` wrote.

    Args:
        path: The npz file.
        episodes: How many episodes are wanted, in the order of the file; all if None.

    Raises:
        InputError: The file is not one of demonstrations, or holds fewer episodes.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            data = {name: file[name] for name in _ARRAYS}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f'{path} holds no demonstrations: {error}') from error
    space = Workspace(tuple(data['lower']), tuple(data['upper']), float(data['resolution']))
    order = list(dict.fromkeys(data['episode'].tolist()))
    if episodes is not None and episodes > len(order):
        raise InputError(f'{path} holds {len(order)} episodes, asked for {episodes}')
    wanted = set(order[:episodes])
    return [Demonstration(
        HeightMap(data['height'][row] / np.float32(1e4), data['color'][row] / np.float32(255),
                  data['seen'][row], space),
        data['pick'][row], data['place'][row], int(data['episode'][row]))
        for row in range(len(data['episode'])) if data['episode'][row] in wanted]
