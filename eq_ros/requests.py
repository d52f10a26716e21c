"""Requests and their answers: each is answered once, whoever answers it first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any
from typing import Generic
from typing import Protocol
from typing import TypeVar

from rclpy.action import ActionServer
from rclpy.action import CancelResponse
from rclpy.action import GoalResponse
from rclpy.task import Future

from eq_ros.accounting import Ticket


class AnyAnswer(Protocol):
    """What every answer tells."""

    @property
    def error_code(self) -> int:
        """Why there is none, 0 if there is one."""

    @property
    def cancelled(self) -> bool:
        """Whether the asker did not want it any more."""


A = TypeVar('A', bound=AnyAnswer)


class Request(Generic[A]):
    """Something that was asked, and who waits for the answer."""

    def __init__(self, ticket: Ticket, reply: Callable[[A], None] = lambda answer: None) -> None:
        """Takes a request.

        Args:
            ticket: Accounts for it.
            reply: Called once with the answer, from any thread.
        """
        self.ticket = ticket
        self._reply, self._lock, self._open = reply, Lock(), True

    @property
    def open(self) -> bool:
        """Whether it has not been answered yet."""
        return self._open

    def answer(self, answer: A) -> bool:
        """Answers; False if somebody has answered before."""
        with self._lock:
            was_open, self._open = self._open, False
        if was_open:
            self._reply(answer)
        return was_open


R = TypeVar('R', bound=Request[Any])


@dataclass(frozen=True)
class Handling(Generic[R, A]):
    """What a node does with the goals of an action.

    Attributes:
        is_active: Whether goals are accepted.
        request: Makes a request of the handle of a goal and of what to reply with.
        take: Takes the request; called in the executor's thread.
        cancelled: The answer to a goal that was cancelled.
        result: Makes the action's result of an answer.
    """

    is_active: Callable[[], bool]
    request: Callable[[Any, Callable[[A], None]], R]
    take: Callable[[R], None]
    cancelled: Callable[[], A]
    result: Callable[[A], Any]


class RequestServer(Generic[R, A]):
    """An action whose goals become requests; a cancelled one is answered at once."""

    def __init__(self, node: Any, kind: Any, name: str, handling: Handling[R, A]) -> None:
        """Offers the action.

        Args:
            node: The node.
            kind: Type of the action.
            name: Name of the action.
            handling: What is done with goals.
        """
        self._node, self._handling = node, handling
        self._asked: dict[bytes, tuple[R, Future]] = {}     # by id of the goal
        self._server = ActionServer(
            node, kind, name, self._await_answer,
            goal_callback=lambda goal: GoalResponse.ACCEPT if handling.is_active()
            else GoalResponse.REJECT,
            handle_accepted_callback=self._on_goal, cancel_callback=self._on_cancel)

    @property
    def waiting(self) -> bool:
        """Whether a goal has not been answered yet; ask in the executor's thread."""
        return any(request.open for request, _ in self._asked.values())

    def destroy(self) -> None:
        """Offers the action no more."""
        self._server.destroy()

    def _on_goal(self, handle: Any) -> None:
        """Takes a goal."""
        future = Future(executor=self._node.executor)

        def reply(answer: A) -> None:
            future.set_result(answer)
            if self._node.executor is not None:
                self._node.executor.wake()
        request = self._handling.request(handle, reply)
        self._asked[bytes(handle.goal_id.uuid)] = request, future
        handle.execute()
        self._handling.take(request)

    def _on_cancel(self, handle: Any) -> CancelResponse:
        """Answers at once; the work at hand ends at its next step."""
        request = self._asked[bytes(handle.goal_id.uuid)][0]
        request.ticket.drop('cancelled')
        request.answer(self._handling.cancelled())
        return CancelResponse.ACCEPT

    async def _await_answer(self, handle: Any) -> Any:
        """Hands the answer of a request to whoever asked."""
        key = bytes(handle.goal_id.uuid)
        answer = await self._asked[key][1]
        del self._asked[key]
        if answer.cancelled and handle.is_cancel_requested:
            handle.canceled()
        elif answer.error_code == 0:
            handle.succeed()
        else:
            handle.abort()
        return self._handling.result(answer)
