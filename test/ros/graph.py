"""A small live graph for tests: a node in its own process, and the test as its other end."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from lifecycle_msgs.srv import GetState
import numpy as np
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock

from eq_core.geometry.points import Points
from eq_ros import messages
from eq_ros import qos
from eq_ros.pointcloud2 import encode

WITHOUT_VISION = 'EQ_TEST_WITHOUT_VISION_MSGS'
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATIENCE = 120.  # [s]; nothing is measured with it, a loaded machine may be slow
ASK_AGAIN = 5.   # [s] after which a question that nobody has answered is asked once more
CONFIGURE = Transition.TRANSITION_CONFIGURE
ACTIVATE = Transition.TRANSITION_ACTIVATE
DEACTIVATE = Transition.TRANSITION_DEACTIVATE
CLEANUP = Transition.TRANSITION_CLEANUP
AFTER = {CONFIGURE: 'inactive', ACTIVATE: 'active', DEACTIVATE: 'inactive',
         CLEANUP: 'unconfigured'}


def environment(domain_id: int) -> dict[str, str]:
    """Variables of a process in the graph."""
    variables = dict(os.environ, ROS_DOMAIN_ID=str(domain_id), PYTHONUNBUFFERED='1',
                     ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST')
    paths = [str(ROOT), str(HERE), variables.get('PYTHONPATH', '')]
    variables['PYTHONPATH'] = os.pathsep.join(path for path in paths if path)
    return variables


def cloud(first: float = 1., count: int = 20, stamp: int = 10**9, frame_id: str = 'lidar') -> Any:
    """A message of `count` points; the x of the first tells the fake model what to do."""
    xyz = np.random.default_rng(0).uniform(-5, 5, (count, 3))
    if count:
        xyz[0, 0] = first
    return messages.pointcloud2(encode(Points.from_xyz(xyz, np.zeros(count), frame_id, stamp)))


def _done(future: Any, timeout: float) -> bool:
    """Waits until the executor's thread has brought an answer, or not [s]."""
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    return done.wait(timeout)


class Graph:
    """One DDS domain with the node under test and a node of the test."""

    def __init__(self, domain_id: int, log_folder: Path) -> None:
        self.environment = environment(domain_id)
        self._log_folder = log_folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self.objects: list[Any] = []
        self.markers: list[Any] = []
        self.labels: list[Any] = []
        self.reports: list[Any] = []
        self._context = Context()
        self._context.init(args=[], domain_id=domain_id)
        self.node = Node('test', context=self._context, enable_rosout=False,
                         start_parameter_services=False, use_global_arguments=False)
        self.clock = self.node.create_publisher(Clock, '/clock', 10)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def start(self, *arguments: str, script: str = 'fake_lidar_detector.py',
              name: str = '/lidar_detector') -> subprocess.Popen[bytes]:
        """Starts the node under test and connects to its topics and services."""
        log = (self._log_folder / f'node{len(self._processes)}.log').open('wb')
        command = (['-m', script] if not script.endswith('.py') else [str(HERE / script)])
        process = subprocess.Popen(
            [sys.executable, *command, '--ros-args', '-p', 'diagnostics_period:=0.1', *arguments],
            env=self.environment, cwd=self._log_folder, stdout=log, stderr=subprocess.STDOUT)
        self._processes.append(process)
        self.connect(name)
        return process

    def connect(self, name: str) -> None:
        """Talks to the node of this name from now on."""
        self.name = name
        node = self.node
        self.input = node.create_publisher(
            messages.PointCloud2, f'{name}/input/pointcloud', qos.sensor(50))
        self._answers = [node.create_subscription(
            messages.MarkerArray, f'{name}/debug/markers', self.markers.append, qos.result())]
        if messages.vision_msgs is not None:
            self._answers.append(node.create_subscription(
                messages.vision_msgs.Detection3DArray, f'{name}/output/objects',
                self.objects.append, qos.result()))
            node.create_subscription(messages.vision_msgs.LabelInfo, f'{name}/output/label_info',
                                     self.labels.append, qos.latched())
        node.create_subscription(DiagnosticArray, '/diagnostics', self._report, qos.result(50))
        self._change = node.create_client(ChangeState, f'{name}/change_state')
        self._set = node.create_client(SetParameters, f'{name}/set_parameters')
        # The last one: a participant announces its ends in the order in which they were made, so
        # a node that has answered this one knows all the others.
        self._state = node.create_client(GetState, f'{name}/get_state')

    def leave_outputs(self) -> None:
        """Listens to no answers any more."""
        for subscription in self._answers:
            self.node.destroy_subscription(subscription)

    def _report(self, message: DiagnosticArray) -> None:
        self.reports += [status for status in message.status
                         if status.name.endswith(': pipeline')]

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return

    @property
    def values(self) -> dict[str, str]:
        """Keys and texts of the latest diagnostics."""
        return {item.key: item.value for item in self.reports[-1].values} if self.reports else {}

    def count(self, key: str) -> int:
        """A counter of the latest diagnostics."""
        return int(self.values.get(key, 0))

    def wait(self, condition: Callable[[], Any], what: str = '') -> None:
        """Waits until something is so."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f'{what or condition}\n{self.values}\n{self.log()}'
            time.sleep(0.01)

    def wait_active(self) -> None:
        """Waits until the node takes clouds and both ends of every topic know each other."""
        self.wait(lambda: self.values.get('state') == 'active', 'active')
        self.wait(lambda: self.input.get_subscription_count() > 0, 'subscribed')
        has_vision = messages.vision_msgs is not None and WITHOUT_VISION not in self.environment
        for topic in ('output/objects', 'debug/markers')[0 if has_vision else 1:]:
            self.wait(lambda topic=topic: self.node.count_publishers(
                f'{self.name}/{topic}') > 0, topic)
        self.state()

    def log(self) -> str:
        """All that the processes have written."""
        return ''.join(path.read_text(errors='replace')
                       for path in sorted(self._log_folder.glob('node*.log')))

    def wait_report(self, text: str) -> Any:
        """Waits for diagnostics that say something; the latest of them."""
        def found() -> list[Any]:
            return [report for report in self.reports if text in report.message]
        self.wait(found, text)
        return found()[-1]

    def state(self) -> str:
        """Life-cycle state; when it is known, the node knows every end of ours."""
        # A service is ready for its client before the server has found the client, so the answer
        # to a first question can be lost, and only the client can know, by waiting in vain.
        futures: list[Any] = []
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.wait(self._state.service_is_ready, self._state.srv_name)
            futures.append(self._state.call_async(GetState.Request()))
            for future in futures:
                if _done(future, ASK_AGAIN if future is futures[-1] else 0.):
                    return future.result().current_state.label
        raise AssertionError(f'{self._state.srv_name} never answered\n{self.log()}')

    def change_state(self, transition: int) -> bool:
        """Asks for a transition, once; whether it was made."""
        before = self.state()
        request = ChangeState.Request()
        request.transition.id = transition
        self.wait(self._change.service_is_ready, self._change.srv_name)
        future = self._change.call_async(request)
        if _done(future, PATIENCE):
            return future.result().success
        return self.state() == AFTER[transition] != before

    def set_parameter(self, name: str, value: Any) -> Any:
        """Sets a parameter; the result has `successful` and `reason`."""
        self.state()
        parameter = Parameter(name, value=value).to_parameter_msg()
        self.wait(self._set.service_is_ready, self._set.srv_name)
        future = self._set.call_async(SetParameters.Request(parameters=[parameter]))
        assert _done(future, PATIENCE), f'{name} was not set\n{self.log()}'
        return future.result().results[0]

    def send_each(self, clouds: list[Any]) -> None:
        """Sends one cloud after the other, each when the one before is answered or dropped."""
        for message in clouds:
            before = self.count('received')
            self.input.publish(message)
            self.wait(lambda before=before: self.count('received') > before
                      and self.count('in_flight') == 0, 'accounted')

    def settled(self) -> dict[str, str]:
        """Diagnostics of a moment with nothing in flight, later than now."""
        seen = len(self.reports)
        self.wait(lambda: len(self.reports) > seen + 1 and self.count('in_flight') == 0, 'settle')
        return self.values

    def balance(self) -> int:
        """Received minus all that became of it; 0 if every input is accounted for."""
        values = self.values
        dropped = sum(int(value) for key, value in values.items() if key.startswith('dropped.'))
        return (int(values['received']) - int(values['published']) - dropped
                - int(values['in_flight']))

    def stop(self, process: subprocess.Popen[bytes], number: int = signal.SIGINT) -> int:
        """Signals a process and waits for its end; its exit code."""
        process.send_signal(number)
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise

    def close(self) -> None:
        """Ends everything."""
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
        self._executor.shutdown()
        self._thread.join(PATIENCE)  # a thread that outlives its context ends the process
        self.node.destroy_node()
        self._context.try_shutdown()
