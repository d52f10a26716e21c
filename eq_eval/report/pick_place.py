"""What the policy of pick and place did on a simulated table: pictures, and its balance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.heightmap import HeightMap
from eq_eval.replay.pick_place import Act
from eq_eval.replay.pick_place import PickPlaceRun
from eq_eval.report.raster import data_uri

SCALE = 3           # pixels of a cell
AXIS = .035         # length of the mark that shows a turn [m]


def pick_place_section(run: PickPlaceRun) -> dict[str, Any]:
    """A picture for each act and for the end of each episode, a row for each, the balance."""
    episodes = []
    for number, (seed, end) in enumerate(run.ends.items(), start=1):
        acts = [act for act in run.acts if act.episode == seed]
        episodes.append({'number': number, 'pictures': [*map(_act, acts), _picture(end)],
                         'reward': f'{sum(act.reward for act in acts):.2f}'})
    return {'task': run.task, 'episodes': episodes, 'sentence': _sentence(run.result),
            'accounted': run.result['accounted'], 'latency': run.result['latency_p50_ms'],
            'success': f"{run.result['success']:.0f}"}


def _sentence(result: Mapping[str, Any]) -> str:
    dropped = ', '.join(f'{count} {reason}' for reason, count in result['dropped'].items())
    return (f"received {result['received']} = published {result['published']} + dropped "
            f"{sum(result['dropped'].values())}{f' ({dropped})' if dropped else ''} + in flight "
            f"{result['in_flight']}")


def _act(act: Act) -> dict[str, Any]:
    if act.pick is None or act.place is None:
        return _picture(act.table, text=f'refused: {act.reason.replace("_", " ")}')
    marks = [_mark(act.table, pose) for pose in (act.pick, act.place)]
    return _picture(act.table, marks,
                    f'pick {act.scores[0]:.2f}, place {act.scores[1]:.2f}')


def _mark(table: HeightMap, pose: NDArray[np.float64]) -> dict[str, float]:
    """Where a pose is in the picture, and the tip of its x axis."""
    rows = table.height.shape[0]
    ends = np.stack([pose[:3, 3], pose[:3, 3] + AXIS * pose[:3, 0]])
    cells = table.workspace.cell(ends)[:, :2] + .5
    (x, y), (tip_x, tip_y) = np.round(np.stack([cells[:, 0], rows - cells[:, 1]], -1), 2).tolist()
    return {'x': x, 'y': y, 'tip_x': tip_x, 'tip_y': tip_y}


def _picture(table: HeightMap, marks: list[dict[str, float]] | None = None, text: str = ''
             ) -> dict[str, Any]:
    """The table from above, y up; higher cells are a little lighter, as relief."""
    from PIL import Image
    slope = np.gradient(table.height)[0] / table.workspace.resolution
    shade = np.clip(1 + .25 * np.clip(slope, -1, 1), 0, 2)[..., None]
    pixels = np.rint(255 * np.clip(table.color * shade, 0, 1)).astype(np.uint8)[::-1]
    rows, columns = table.height.shape
    image = Image.fromarray(pixels).resize((SCALE * columns, SCALE * rows),
                                           Image.Resampling.NEAREST)
    return {'uri': data_uri(image.quantize(64)),
            'width': columns, 'height': rows, 'marks': marks or [], 'text': text or 'at the end'}
