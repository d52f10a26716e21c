"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.report.panoptic_scene import PanopticScene
from eq_eval.report.scene import Scene


@dataclass(frozen=True)
class RotationCurve:
    """Average precision of one or more networks against the rotation of the scene.

    Attributes:
        angles: [deg], ascending from 0 to 360.
        series: Name of a network to its values in [0, 1], one per angle; ours stands first.
        source: Where the figures come from, in words.
    """

    angles: tuple[float, ...]
    series: Mapping[str, tuple[float, ...]]
    source: str = ''


@dataclass(frozen=True, eq=False)
class PanopticInputs:
    """What the panoptic segmenter has made of the same recording.

    Attributes:
        result: The figures of its node, as `eq replay --json` prints them under ``panoptic``.
        objects: Tracked objects of each scan, None where there was no answer.
        class_names: Names that their labels index.
        round_trips: Publishing a cloud to hearing its answer, one per answer [ms].
        scenes: Scans to show, in order.
        scores: What `eq_eval.panoptic_evaluation.Scores` gives, None without labels.
        scores_text: What was scored, and how.
        model: Facts of the model's manifest, in order.
    """

    result: Mapping[str, Any]
    objects: Sequence[Boxes3D | None] = ()
    class_names: Sequence[str] = ()
    round_trips: Sequence[float] = ()
    scenes: Sequence[PanopticScene] = ()
    scores: Mapping[str, Any] | None = None
    scores_text: str = ''
    model: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ReportInputs:
    """Everything that a report shows.

    Attributes:
        title: Name of the recording.
        lead: One or two sentences below it.
        command: The command that makes these figures again.
        result: What `eq replay --json` prints.
        round_trips: Publishing a cloud to hearing its answer, one per answer [ms].
        scenes: Scans to show, in order.
        scores: What `eq_eval.scores.full_scores` gives, None without labels.
        scores_text: What was scored, and how.
        rotation: The rotation curve, None where there is none.
        model: Facts of the model's manifest, in order.
        versions: Names and versions of software and machine, in order.
        notes: Warnings that a reader must not miss.
        panoptic: The same recording through the panoptic segmenter, None where it was not played.
        planning: What `report.planning.planning_section` makes of a recording of maps and goals,
            None where none was played.
        pick_place: What `report.pick_place.pick_place_section` makes of episodes, None where none
            were played.
    """

    title: str
    lead: str
    command: str
    result: Mapping[str, Any]
    round_trips: Sequence[float] = ()
    scenes: Sequence[Scene] = ()
    scores: Mapping[str, Any] | None = None
    scores_text: str = ''
    rotation: RotationCurve | None = None
    model: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    panoptic: PanopticInputs | None = None
    planning: Mapping[str, Any] | None = None
    pick_place: Mapping[str, Any] | None = None
