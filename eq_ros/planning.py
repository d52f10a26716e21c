"""Requests to plan, by topic or by action, and their answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from eq_ros.accounting import Ticket
from eq_ros.messages import duration
from eq_ros.messages import Path
from eq_ros.requests import Request as AnyRequest


@dataclass(frozen=True)
class Answer:
    """What a request is answered with.

    Attributes:
        path: The path; empty without one.
        error_code: Nav2's number, 0 with a path.
        error_text: The same in words.
        seconds: Time that planning took.
        cancelled: Whether the asker did not want it any more.
    """

    path: Any = field(default_factory=Path)
    error_code: int = 0
    error_text: str = ''
    seconds: float = 0.
    cancelled: bool = False


class Request(AnyRequest[Answer]):
    """A goal, where to start, and who waits for the answer."""

    def __init__(self, ticket: Ticket, goal: Any, start: Any = None, planner_id: str = '',
                 reply: Callable[[Answer], None] = lambda answer: None) -> None:
        """Takes a request.

        Args:
            ticket: Accounts for it.
            goal: A ``geometry_msgs/PoseStamped``.
            start: Likewise; where the robot is if None.
            planner_id: Name of the planner that is asked for; any if empty.
            reply: Called once with the answer, from any thread.
        """
        super().__init__(ticket, reply)
        self.goal, self.start, self.planner_id = goal, start, planner_id


def fill_result(result: Any, answer: Answer) -> Any:
    """Fills the result of an action that is shaped like Nav2's ``ComputePathToPose``."""
    result.path = answer.path
    result.planning_time = duration(answer.seconds)
    result.error_code = answer.error_code
    if hasattr(result, 'error_msg'):    # not in Nav2 before Kilted
        result.error_msg = answer.error_text
    return result
