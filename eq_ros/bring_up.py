"""Watches nodes until they are active."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import time
from typing import Any

from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState

from eq_ros.spinning_node import SpinningNode

ASK_AGAIN = .5      # an answer that has not come by then is lost [s]
LOOK = .02          # [s]


def await_active(names: Sequence[str], timeout: float, check: Callable[[], None],
                 domain_id: int | None = None) -> dict[str, float]:
    """Asks nodes for their states until all are active.

    Args:
        names: Fully qualified names.
        timeout: Longest wait [s].
        check: Called again and again; raises if a node can no longer become active.
        domain_id: DDS domain; that of the environment if None.

    Returns:
        When each was first seen active, by name [s since the call]; those that were not are
        missing.
    """
    end = SpinningNode('eq_bring_up', domain_id)
    clients = {name: end.node.create_client(GetState, f'{name}/get_state') for name in names}
    asked: dict[str, tuple[Any, float]] = {}
    found: dict[str, float] = {}
    start = time.monotonic()
    try:
        while len(found) < len(names) and time.monotonic() - start < timeout:
            check()
            for name in set(names) - set(found):
                now = time.monotonic()
                if name in asked and asked[name][0].done():
                    answer = asked.pop(name)[0].result()
                    if answer.current_state.id == State.PRIMARY_STATE_ACTIVE:
                        found[name] = now - start
                elif clients[name].service_is_ready() and (
                        name not in asked or now - asked[name][1] > ASK_AGAIN):
                    asked[name] = clients[name].call_async(GetState.Request()), now
            end.spin_once(LOOK)
    finally:
        end.close()
    return found
