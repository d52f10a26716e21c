"""`eq up`: the nodes of `launch/detector.launch.py` as processes, where there is no ROS launch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
import signal
import subprocess
import sys
from types import FrameType
from typing import Annotated

import typer

MODULE = 'eq_perception.nodes.lidar_detector'


@dataclass(frozen=True)
class NodeDescription:
    """One node as `ros2 launch` would start it.

    Attributes:
        module: What ``python -m`` runs.
        namespace: Namespace of the node, may be empty.
        params_file: Parameters; `parameters` come after and win.
        parameters: Names to values, as YAML writes them.
        remappings: Names to topics.
        log_level: Least severity that is logged.
    """

    module: str
    namespace: str = ''
    params_file: Path | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    remappings: Mapping[str, str] = field(default_factory=dict)
    log_level: str = 'info'

    def command(self) -> list[str]:
        """The command line of the process."""
        words = [sys.executable, '-m', self.module, '--ros-args', '--log-level', self.log_level]
        if self.namespace:
            words += ['-r', f'__ns:=/{self.namespace.strip("/")}']
        if self.params_file is not None:
            words += ['--params-file', str(self.params_file)]
        for name, value in self.parameters.items():
            words += ['-p', f'{name}:={value}']
        for name, topic in self.remappings.items():
            words += ['-r', f'{name}:={topic}']
        return words


def up(
    params_file: Annotated[Path | None, typer.Option(help='Parameters of the node.')] = None,
    model: Annotated[str, typer.Option(
        help='Folder of the model bundle; the shipped one if not given.')] = '',
    backends: Annotated[str, typer.Option(
        help='Inference backends in order of preference.')] = 'onnxruntime',
    namespace: Annotated[str, typer.Option(help='Namespace of the node.')] = '',
    input_pointcloud: Annotated[str, typer.Option(
        help='Topic of the clouds.')] = '~/input/pointcloud',
    output_objects: Annotated[str, typer.Option(
        help='Topic of the detections.')] = '~/output/objects',
    use_sim_time: Annotated[bool, typer.Option(
        '--use-sim-time', help='Take time from /clock, as with a bag.')] = False,
    autostart: Annotated[bool, typer.Option(
        help='Whether the node configures and activates itself.')] = True,
    log_level: Annotated[str, typer.Option(help='Least severity that is logged.')] = 'info',
) -> None:
    """Starts the LiDAR detector in the live ROS 2 graph and waits for Ctrl-C.

    The same as `ros2 launch eq_stack detector.launch.py`, for machines without ROS launch.
    """
    from eq_eval.replay.environment import require_ros
    require_ros()
    from eq_ros.transport import configure_transport
    from eq_ros.transport import shared_file
    configure_transport()
    description = NodeDescription(
        MODULE, namespace, params_file or shared_file('config/lidar_detector.param.yaml'),
        {'use_sim_time': str(use_sim_time).lower(), 'autostart': str(autostart).lower(),
         'model_path': f"'{model}'", 'backends': f'[{backends}]'},
        {'~/input/pointcloud': input_pointcloud, '~/output/objects': output_objects}, log_level)
    raise typer.Exit(run_until_signal(description.command()))


def run_until_signal(command: list[str]) -> int:
    """Runs a process, passes SIGINT and SIGTERM on, and returns its exit code.

    The child has a session of its own: Ctrl-C reaches it once, through us.
    """
    child = subprocess.Popen(command, start_new_session=True)

    def forward(number: int, frame: FrameType | None) -> None:
        child.send_signal(signal.SIGINT)
    before = {number: signal.signal(number, forward)
              for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if child.poll() is None:
            child.kill()
