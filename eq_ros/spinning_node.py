"""An end of our own in the graph, that spins beside the program that uses it, or in it."""

from __future__ import annotations

import threading

from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

PATIENCE = 30.      # for the callback at hand to end [s]


class SpinningNode:
    """A node with a context of its own, so that several may be in one process.

    Attributes:
        node: What it is in the graph; give it its ends, then call `start`, or `spin_once` again
            and again.
    """

    def __init__(self, name: str, domain_id: int | None = None) -> None:
        """Joins the graph; nothing is heard yet.

        Args:
            name: Of the node.
            domain_id: DDS domain; that of the environment if None.
        """
        self._context = Context()
        self._context.init(args=[], domain_id=domain_id)
        self.node = Node(name, context=self._context, enable_rosout=False,
                         start_parameter_services=False, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name=name, daemon=True)

    def start(self) -> None:
        """Begins to hear, in a thread of its own."""
        self._thread.start()

    def spin_once(self, timeout: float) -> None:
        """Hears at most one thing, in the thread that calls; `timeout` is the longest wait [s]."""
        self._executor.spin_once(timeout_sec=timeout)

    def close(self) -> None:
        """Leaves the graph."""
        self._executor.shutdown()
        if self._thread.is_alive():     # one that still spins would end the process
            self._thread.join(PATIENCE)
        self.node.destroy_node()
        self._context.try_shutdown()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return
