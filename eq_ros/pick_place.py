"""Requests for a pick and a place, and their answers as messages."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_ros.accounting import Ticket
from eq_ros.messages import duration
from eq_ros.messages import Header
from eq_ros.messages import Image
from eq_ros.messages import Pose
from eq_ros.messages import PoseArray
from eq_ros.messages import PoseStamped
from eq_ros.messages import vision_msgs
from eq_ros.poses import StampedPose
from eq_ros.requests import Request
from eq_ros.table_views import TableView

ENCODINGS = {np.dtype(np.float32): '32FC1', np.dtype(np.uint8): 'mono8'}

Double = NDArray[np.float64]


@dataclass(frozen=True)
class Answer:
    """What a request is answered with.

    Attributes:
        picks: Poses, best first; empty without an answer.
        places: Likewise, for the first pick.
        pick_scores: Probabilities of the picks.
        place_scores: Likewise.
        error_code: Number of the action, 0 with an answer.
        error_text: The same in words.
        seconds: Time from the request to the answer.
        cancelled: Whether the asker did not want it any more.
    """

    picks: PoseArray = field(default_factory=PoseArray)
    places: PoseArray = field(default_factory=PoseArray)
    pick_scores: tuple[float, ...] = ()
    place_scores: tuple[float, ...] = ()
    error_code: int = 0
    error_text: str = ''
    seconds: float = 0.
    cancelled: bool = False


class PickPlaceRequest(Request[Answer]):
    """A look to be planned on, and who waits for the answer."""

    def __init__(self, ticket: Ticket, view: TableView | None = None, timeout: float = 0.,
                 count: int = 0, reply: Callable[[Answer], None] = lambda answer: None,
                 tell: Callable[[str], None] = lambda stage: None) -> None:
        """Takes a request.

        Args:
            ticket: Accounts for it.
            view: What to plan on; the newest view if None.
            timeout: Longest time from now to the answer [s], 0 for the default.
            count: Most poses of either kind, 0 for the default.
            reply: Called once with the answer, from any thread.
            tell: Called with the name of each stage as it begins, from any thread.
        """
        super().__init__(ticket, reply)
        self.view, self.timeout, self.count = view, timeout, count
        self._tell, self._began = tell, time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since it was asked [s]."""
        return time.monotonic() - self._began

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Tells of one stage of the work and measures it."""
        self._tell(name)
        with self.ticket.stage(name):
            yield


def fill_result(result: Any, answer: Answer) -> Any:
    """Fills the result of ``eq_msgs/action/PlanPickPlace``."""
    for name, poses in (('pick', answer.picks), ('place', answer.places)):
        setattr(result, f'{name}s', poses)
        if poses.poses:
            setattr(result, name, best(poses))
    result.pick_scores, result.place_scores = answer.pick_scores, answer.place_scores
    result.planning_time = duration(answer.seconds)
    result.error_code, result.error_msg = answer.error_code, answer.error_text
    return result


def best(poses: PoseArray) -> PoseStamped:
    """The first of some poses."""
    return PoseStamped(header=poses.header, pose=poses.poses[0])


def pose_array(matrices: Double, header: Header) -> PoseArray:
    """Makes a message of (K, 4, 4) poses."""
    message = PoseArray(header=header)
    for matrix in matrices:
        stamped = StampedPose.from_matrix(matrix, 0)
        pose = Pose()
        pose.position.x, pose.position.y, pose.position.z = stamped.position.tolist()
        turn = pose.orientation
        turn.x, turn.y, turn.z, turn.w = stamped.quaternion.tolist()
        message.poses.append(pose)
    return message


def scored_poses(answer: Answer) -> Any:
    """Makes a ``vision_msgs/Detection3DArray``: all poses with class, rank and score.

    The class is ``pick`` or ``place``, the id class and rank, as ``pick_0``; boxes have no size.
    """
    message = vision_msgs.Detection3DArray(header=answer.picks.header)
    for name, poses, scores in (('pick', answer.picks, answer.pick_scores),
                                ('place', answer.places, answer.place_scores)):
        for rank, (pose, score) in enumerate(zip(poses.poses, scores, strict=True)):
            hypothesis = vision_msgs.ObjectHypothesisWithPose()
            hypothesis.hypothesis.class_id, hypothesis.hypothesis.score = name, score
            hypothesis.pose.pose = pose
            detection = vision_msgs.Detection3D(
                header=answer.picks.header, id=f'{name}_{rank}', results=[hypothesis])
            detection.bbox.center = pose
            message.detections.append(detection)
    return message


def image_message(values: NDArray[Any], header: Header) -> Image:
    """Makes an image of (H, W) float32 (`32FC1`) or uint8 (`mono8`) values."""
    values = np.ascontiguousarray(values)
    data = array('B')
    data.frombytes(values.view(np.uint8).data)
    return Image(header=header, height=values.shape[0], width=values.shape[1],
                 encoding=ENCODINGS[values.dtype], step=values.strides[0], data=data)
