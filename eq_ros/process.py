"""One node as a process: started, spun, and ended cleanly by SIGINT or SIGTERM."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import logging
import os
import signal
import sys
from threading import Event
from threading import Thread
from types import FrameType
from typing import Any

import rclpy
from rclpy.executors import Executor
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from eq_ros.guard import one_line
from eq_ros.lifecycle_node import ManagedNode
from eq_ros.memory import keep_freed_memory
from eq_ros.transport import configure_transport
from eq_ros.transport import shared_memory_fault

PATIENCE = 4.0  # [s] for the executor, then for the node


def run(make_node: Callable[[], ManagedNode[Any]], arguments: Sequence[str] | None = None) -> int:
    """Runs a node until it is told to end.

    The executor spins in its own thread, so that a signal is heard even while a model loads.

    Args:
        make_node: Builds the node once rclpy is initialised.
        arguments: Command line; ``sys.argv`` if None.

    Returns:
        Exit code: 0 after an orderly end, 1 if the node could not be built, or that with which the
        node ends itself.
    """
    stop = Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    configure_transport()
    keep_freed_memory()
    try:
        rclpy.init(args=None if arguments is None else list(arguments),
                   signal_handler_options=SignalHandlerOptions.NO)
        node = make_node()
    except Exception as error:  # noqa: BLE001 - bad arguments come as many types
        logging.getLogger(__name__).error('the node cannot start: %s', one_line(error))
        rclpy.try_shutdown()
        return 1
    fault = shared_memory_fault()
    if fault:
        node.get_logger().warning(fault)
    return _spin_until(node, stop)


def _spin_until(node: ManagedNode[Any], stop: Event) -> int:
    """Spins in a thread until `stop`, then ends everything in order.

    The thread is joined before anything it uses is destroyed: a process that ends while a thread
    still spins dies with exit code 134.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    codes = [0]

    def start() -> None:
        code = node.autostart()
        if code is not None:
            codes.append(code)
            stop.set()
    executor.create_task(start)
    done: Future[None] = executor.create_future()
    thread = Thread(target=_spin, args=(executor, done, stop, node), name='executor', daemon=True)
    thread.start()
    stop.wait()
    done.set_result(None)
    executor.wake()
    thread.join(PATIENCE)
    if thread.is_alive():
        _leave(node)
    executor.shutdown()
    if not node.close():
        _leave(node)
    node.destroy_node()
    rclpy.try_shutdown()
    return codes[-1]


def _spin(executor: Executor, done: Future[None], stop: Event, node: ManagedNode[Any]) -> None:
    """Spins on whatever a callback raises: no message may end the process."""
    while not done.done():
        try:
            executor.spin_until_future_complete(done)
            if not done.done():  # somebody shut the context down
                break
        except ExternalShutdownException:
            break
        except Exception as error:  # noqa: BLE001 - see above
            node.log.error('callback', f'a callback failed: {one_line(error)}')
    stop.set()


def _leave(node: ManagedNode[Any]) -> None:
    """Ends the process at once when a library call does not return; the system frees the rest."""
    node.get_logger().warning('work at hand did not end in time, the process ends without it')
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
