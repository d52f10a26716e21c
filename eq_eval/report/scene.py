"""What a picture of one scan shows."""

from __future__ import annotations

from dataclasses import dataclass

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points


@dataclass(frozen=True, eq=False)
class Scene:
    """One scan with what was found and what was there, all in the sensor's frame.

    Attributes:
        title: Such as ``'scan 12'``.
        points: The scan.
        predictions: Boxes of the detector, None where it gave no answer.
        truth: Boxes of the data set, None where it has none.
        class_names: Names that the labels of both index.
        status: What became of the scan.
        field_of_view: Azimuths [rad] between which `truth` is complete; None for the full circle.
    """

    title: str
    points: Points
    predictions: Boxes3D | None
    truth: Boxes3D | None
    class_names: tuple[str, ...]
    status: str = 'published'
    field_of_view: tuple[float, float] | None = None
