"""`eq up`: the nodes of the files in `launch/` as processes, where there is no ROS launch."""

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

from eq_core.runtime.selection import DEFAULT_BACKENDS

app = typer.Typer(help='Start a node in the live ROS 2 graph.', no_args_is_help=True)

ParamsFile = Annotated[Path | None, typer.Option(help='Parameters of the node.')]
Model = Annotated[str, typer.Option(
    help='Folder of the model bundle; the shipped one if not given.')]
Backends = Annotated[str, typer.Option(help='Inference backends in order of preference.')]
Precision = Annotated[str, typer.Option(
    help='Of the graph: fp32, or fp16 or int8 if the model has it.')]
Namespace = Annotated[str, typer.Option(help='Namespace of the node.')]
Clouds = Annotated[str, typer.Option(help='Topic of the clouds.')]
SimTime = Annotated[bool, typer.Option(
    '--use-sim-time', help='Take time from /clock, as with a bag.')]
Autostart = Annotated[bool, typer.Option(
    help='Whether the node configures and activates itself.')]
LogLevel = Annotated[str, typer.Option(help='Least severity that is logged.')]

BACKENDS = ', '.join(DEFAULT_BACKENDS)


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


@app.command()
def detector(
    params_file: ParamsFile = None, model: Model = '', backends: Backends = BACKENDS,
    precision: Precision = 'fp32', namespace: Namespace = '',
    input_pointcloud: Clouds = '~/input/pointcloud',
    output_objects: Annotated[str, typer.Option(
        help='Topic of the detections.')] = '~/output/objects',
    use_sim_time: SimTime = False, autostart: Autostart = True, log_level: LogLevel = 'info',
) -> None:
    """Starts the LiDAR detector and waits for Ctrl-C.

    The same as `ros2 launch eq_stack detector.launch.py`, for machines without ROS launch.
    """
    _start('lidar_detector', namespace, params_file,
           _common(use_sim_time, autostart, model, backends, precision),
           {'~/input/pointcloud': input_pointcloud, '~/output/objects': output_objects}, log_level)


@app.command()
def segmenter(
    params_file: ParamsFile = None, model: Model = '', backends: Backends = BACKENDS,
    precision: Precision = 'fp32', namespace: Namespace = '',
    input_pointcloud: Clouds = '~/input/pointcloud',
    input_odometry: Annotated[str, typer.Option(
        help="Topic of the odometry, for the source 'topic'.")] = '~/input/odometry',
    odometry_source: Annotated[str, typer.Option(
        help='Where odometry comes from: none, topic or tf.')] = 'none',
    odom_frame: Annotated[str, typer.Option(
        help="Frame in which poses do not jump, for the source 'tf'.")] = 'odom',
    output_pointcloud: Annotated[str, typer.Option(
        help='Topic of the labelled points.')] = '~/output/pointcloud',
    output_objects: Annotated[str, typer.Option(
        help='Topic of the tracked objects.')] = '~/output/objects',
    use_sim_time: SimTime = False, autostart: Autostart = True, log_level: LogLevel = 'info',
) -> None:
    """Starts the panoptic segmenter and waits for Ctrl-C.

    The same as `ros2 launch eq_stack panoptic_segmenter.launch.py`, for machines without it.
    """
    _start('panoptic_segmenter', namespace, params_file,
           {**_common(use_sim_time, autostart, model, backends, precision),
            'odometry_source': odometry_source, 'odom_frame': odom_frame},
           {'~/input/pointcloud': input_pointcloud, '~/input/odometry': input_odometry,
            '~/output/pointcloud': output_pointcloud, '~/output/objects': output_objects},
           log_level)


@app.command()
def planner(
    params_file: ParamsFile = None, model: Annotated[str, typer.Option(
        help='Folder of a bundle with learned costs; lengths count if not given.')] = '',
    backends: Backends = BACKENDS, precision: Precision = 'fp32', namespace: Namespace = '',
    input_map: Annotated[str, typer.Option(help='Topic of the map.')] = '~/input/map',
    input_map_updates: Annotated[str, typer.Option(
        help='Topic of updates of a part of it.')] = '~/input/map_updates',
    input_goal: Annotated[str, typer.Option(help='Topic of goals.')] = '~/input/goal',
    output_path: Annotated[str, typer.Option(help='Topic of the paths.')] = '~/output/path',
    robot_base_frame: Annotated[str, typer.Option(
        help='Frame of the robot, where paths start.')] = 'base_link',
    use_sim_time: SimTime = False, autostart: Autostart = True, log_level: LogLevel = 'info',
) -> None:
    """Starts the graph planner and waits for Ctrl-C.

    The same as `ros2 launch eq_stack graph_planner.launch.py`, for machines without it.
    """
    _start('graph_planner', namespace, params_file,
           {**_common(use_sim_time, autostart, model, backends, precision),
            'robot_base_frame': robot_base_frame},
           {'~/input/map': input_map, '~/input/map_updates': input_map_updates,
            '~/input/goal': input_goal, '~/output/path': output_path}, log_level,
           'eq_navigation')


@app.command()
def policy(
    params_file: ParamsFile = None, model: Annotated[str, typer.Option(
        help='Folder of the policy.')] = '',
    backends: Backends = BACKENDS, precision: Precision = 'fp32', namespace: Namespace = '',
    input: Annotated[str, typer.Option(
        help='What to look with: rgbd or points.')] = 'rgbd',
    input_depth: Annotated[str, typer.Option(
        help='Topic of depth images, registered to colour.')] = '~/input/depth',
    input_color: Annotated[str, typer.Option(help='Topic of colour images.')] = '~/input/color',
    input_camera_info: Annotated[str, typer.Option(
        help='Topic of their camera.')] = '~/input/camera_info',
    input_points: Annotated[str, typer.Option(
        help='Topic of clouds with colours.')] = '~/input/points',
    workspace_frame: Annotated[str, typer.Option(
        help='Frame of the workspace and of all poses.')] = 'base_link',
    continuous: Annotated[bool, typer.Option(help='Whether every look is planned on.')] = False,
    use_sim_time: SimTime = False, autostart: Autostart = True, log_level: LogLevel = 'info',
) -> None:
    """Starts the pick and place policy and waits for Ctrl-C.

    The same as `ros2 launch eq_stack pick_place.launch.py`, for machines without it.
    """
    _start('pick_place_policy', namespace, params_file,
           {**_common(use_sim_time, autostart, model, backends, precision), 'input': input,
            'workspace_frame': workspace_frame, 'continuous': str(continuous).lower()},
           {'~/input/depth': input_depth, '~/input/color': input_color,
            '~/input/camera_info': input_camera_info, '~/input/points': input_points}, log_level,
           'eq_manipulation')


def _common(use_sim_time: bool, autostart: bool, model: str, backends: str, precision: str
            ) -> dict[str, str]:
    """Parameters of every node, as YAML writes them."""
    return {'use_sim_time': str(use_sim_time).lower(), 'autostart': str(autostart).lower(),
            'model_path': f"'{model}'", 'backends': f'[{backends}]',
            'precision': precision}


def _start(node: str, namespace: str, params_file: Path | None, parameters: dict[str, str],
           remappings: dict[str, str], log_level: str, package: str = 'eq_perception') -> None:
    """Becomes the node's parent until it ends, and takes over its exit code."""
    from eq_eval.replay.environment import require_ros
    require_ros()
    from eq_ros.transport import configure_transport
    from eq_ros.transport import shared_file
    configure_transport()
    description = NodeDescription(
        f'{package}.nodes.{node}', namespace,
        params_file or shared_file(f'config/{node}.param.yaml'), parameters, remappings, log_level)
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
