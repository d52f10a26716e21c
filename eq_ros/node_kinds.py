"""What can be started: each node with its arguments, for launch files and `eq up` alike.

Nothing here needs ROS. `eq_ros.launch_files` makes launch descriptions of it, `eq up` processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

from eq_core.errors import ConfigError
from eq_core.runtime.selection import DEFAULT_BACKENDS


@dataclass(frozen=True)
class Argument:
    """One argument of a launch file, and option of `eq up`.

    Attributes:
        name: Its name where one node is started.
        default: As YAML writes it.
        description: For people.
        parameter: Parameter of the node that it sets, if any.
        kind: Type of that.
        topic: Private name of the node that it remaps, if any.
        shared: Whether nodes that are started together have it in common.
        together: Default where several nodes are started, `default` if empty.
    """

    name: str
    default: str
    description: str
    parameter: str = ''
    kind: type[bool | str | list[str]] = str
    topic: str = ''
    shared: bool = False
    together: str = ''


@dataclass(frozen=True)
class NodeKind:
    """A node that can be started.

    Attributes:
        name: Of the node, its executable, and its file of parameters.
        module: Python module that is the node.
        label: What it is called for short.
        view: Configuration of RViz that shows it.
        arguments: All but `params_file`, `namespace`, `log_level` and `rviz`, which go to no node.
        example: Shipped model of a node that has none of its own; it is taken where nodes are
            started together and none is given.
    """

    name: str
    module: str
    label: str
    view: str
    arguments: tuple[Argument, ...]
    example: str = ''

    def settings(self, values: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Parameters and remappings of the node, by values of its own arguments."""
        return ({each.parameter: values[each.name] for each in self.arguments if each.parameter},
                {each.topic: values[each.name] for each in self.arguments if each.topic})


def _topic(end: str, name: str, description: str, shared: bool = False, together: str = ''
           ) -> Argument:
    return Argument(f'{end}_{name}', f'~/{end}/{name}', description, topic=f'~/{end}/{name}',
                    shared=shared, together=together)


BUILD_ONLY = Argument(
    'build_only', 'false', 'Whether engines that are missing are built and the node ends',
    'build_only', bool, shared=True)
ALWAYS = (
    Argument('use_sim_time', 'false', 'Whether time comes from /clock, as with a bag',
             'use_sim_time', bool, shared=True),
    Argument('autostart', 'true', 'Whether the node configures and activates itself',
             'autostart', bool, shared=True))


def _common(model: str) -> tuple[Argument, ...]:
    """What every node with a model has; the model is told in words of its own."""
    return (
        *ALWAYS,
        BUILD_ONLY,
        Argument('model', '', model, 'model_path'),
        Argument('precision', 'fp32', 'Of the graph: fp32, or fp16 or int8 if the model has it',
                 'precision'),
        Argument('backends', f'[{", ".join(DEFAULT_BACKENDS)}]',
                 'Inference backends in order of preference', 'backends', list, shared=True))


SHIPPED = 'Folder of the model bundle; empty for the shipped model'
CLOUDS = _topic('input', 'pointcloud', 'Topic of the clouds', shared=True, together='points')
DETECTOR = NodeKind(
    'lidar_detector', 'eq_perception.nodes.lidar_detector', 'detector', 'detector.rviz', (
        *_common(SHIPPED), CLOUDS, _topic('output', 'objects', 'Topic of the detections')))
SEGMENTER = NodeKind(
    'panoptic_segmenter', 'eq_perception.nodes.panoptic_segmenter', 'segmenter', 'segmenter.rviz',
    (*_common(SHIPPED), CLOUDS,
     _topic('input', 'odometry', "Topic of the odometry, for the source 'topic'",
            together='odometry'),
     Argument('odometry_source', 'none', "Where odometry comes from: 'none', 'topic' or 'tf'",
              'odometry_source'),
     Argument('odom_frame', 'odom', "Frame in which poses do not jump, for the source 'tf'",
              'odom_frame'),
     _topic('output', 'pointcloud', 'Topic of the labelled points'),
     _topic('output', 'objects', 'Topic of the tracked objects')))
PLANNER = NodeKind(
    'graph_planner', 'eq_navigation.nodes.graph_planner', 'planner', 'planner.rviz', (
        *_common('Folder of a bundle with learned costs; empty for lengths'),
        _topic('input', 'map', 'Topic of the map', together='map'),
        _topic('input', 'map_updates', 'Topic of updates of a part of it',
               together='map_updates'),
        _topic('input', 'goal', 'Topic of goals', together='goal_pose'),
        _topic('output', 'path', 'Topic of the paths'),
        Argument('robot_base_frame', 'base_link', 'Frame of the robot, where paths start',
                 'robot_base_frame')))
FOLLOWER = NodeKind(
    'path_follower', 'eq_navigation.nodes.path_follower', 'follower', 'planner.rviz', (
        *ALWAYS, _topic('input', 'path', 'Topic of the paths'),
        _topic('input', 'odometry', 'Topic of the odometry'),
        _topic('output', 'cmd_vel', 'Topic of the velocities')))
COSTMAP = NodeKind(
    'semantic_costmap', 'eq_navigation.nodes.semantic_costmap', 'costmap', 'costmap.rviz', (
        *ALWAYS, _topic('input', 'pointcloud', 'Topic of labelled points'),
        _topic('input', 'odometry', "Topic of the odometry, for the source 'topic'"),
        Argument('odometry_source', 'tf', "Where odometry comes from: 'topic' or 'tf'",
                 'odometry_source'),
        Argument('odom_frame', 'odom', "Frame of the map, for the source 'tf'", 'odom_frame'),
        _topic('output', 'map', 'Topic of the map')))
POLICY = NodeKind(
    'pick_place_policy', 'eq_manipulation.nodes.pick_place_policy', 'policy', 'pick_place.rviz', (
        *_common('Folder of the policy'),
        Argument('input', 'rgbd', 'What to look with: rgbd or points', 'input'),
        _topic('input', 'depth', 'Topic of depth images, registered to colour'),
        _topic('input', 'color', 'Topic of colour images'),
        _topic('input', 'camera_info', 'Topic of their camera'),
        _topic('input', 'points', 'Topic of clouds with colours'),
        Argument('workspace_frame', 'base_link', 'Frame of the workspace and of all poses',
                 'workspace_frame'),
        Argument('continuous', 'false', 'Whether every look is planned on', 'continuous', bool)),
    'models/block_insertion')
STACK = (DETECTOR, SEGMENTER, PLANNER, POLICY)  # costmap and follower are for where no Nav2 is

LOG_LEVEL = Argument('log_level', 'info', 'Least severity that is logged', shared=True)
NAMESPACE = Argument('namespace', '', 'Namespace of the nodes, their actions and topics',
                     shared=True)
PARAMS_FILE = Argument('params_file', '', 'Parameters of the node; the shipped ones if empty')
OF_PROCESSES = (NAMESPACE, PARAMS_FILE, LOG_LEVEL)     # that are no parameters of a node


def option(kinds: Sequence[NodeKind], kind: NodeKind, argument: Argument) -> str:
    """Name of an argument where `kinds` are started together."""
    own = len(kinds) > 1 and not argument.shared
    return f'{kind.label}_{argument.name}' if own else argument.name


def options(kinds: Sequence[NodeKind]) -> dict[str, Argument]:
    """All arguments of nodes that are started together, by their names there."""
    together = len(kinds) > 1
    return {option(kinds, kind, each): replace(
        each, default=each.together if together and each.together else each.default)
        for kind, each in _each(kinds)}


def values_of(kinds: Sequence[NodeKind], kind: NodeKind, given: Mapping[str, str]
              ) -> dict[str, str]:
    """Values of a node's own arguments, out of those of all.

    Raises:
        ConfigError: An argument is of none of the nodes.
    """
    known = options(kinds)
    for name in given:
        if name not in known:
            raise ConfigError(f'argument must be one of {", ".join(known)}, got {name!r}')
    return {argument.name: given.get(name, known[name].default)
            for owner, argument in _each(kinds) if owner is kind
            for name in (option(kinds, kind, argument),)}


def _each(kinds: Sequence[NodeKind]) -> Iterator[tuple[NodeKind, Argument]]:
    return ((kind, argument) for kind in kinds for argument in (*kind.arguments, *OF_PROCESSES))
