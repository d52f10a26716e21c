"""What each node takes and gives: topics, actions, their types and quality of service.

Nothing here needs ROS. The tables in `docs/` are written from it, and views look up in it what can
be shown; a test compares it with what the running nodes open.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quality:
    """Quality of service; `eq_ros.qos` makes profiles in the same words.

    Attributes:
        depth: Messages that are kept.
        reliable: Whether lost messages are sent again.
        latched: Whether whoever comes later still gets the last ones.
    """

    depth: int
    reliable: bool = True
    latched: bool = False

    def __str__(self) -> str:
        """In words, as in the tables of the documents."""
        return (f'{"reliable" if self.reliable else "best effort"}, '
                f'{"transient local" if self.latched else "volatile"}, depth {self.depth}')


@dataclass(frozen=True)
class Topic:
    """One end of a topic.

    Attributes:
        name: As the node names it: private with `~`, else absolute.
        kind: Type, such as ``nav_msgs/Path``.
        quality: Quality of service unless overridden.
        meaning: For people.
    """

    name: str
    kind: str
    quality: Quality
    meaning: str


@dataclass(frozen=True)
class Action:
    """An action that a node offers.

    Attributes:
        name: As the node names it.
        kind: Type, such as ``eq_msgs/action/PlanPickPlace``.
        meaning: For people.
    """

    name: str
    kind: str
    meaning: str


@dataclass(frozen=True)
class Interface:
    """All that a node of ours takes and gives besides what every node of ROS does.

    Attributes:
        inputs: Topics that it listens to.
        outputs: Topics that it publishes.
        actions: Actions that it offers.
    """

    inputs: tuple[Topic, ...]
    outputs: tuple[Topic, ...]
    actions: tuple[Action, ...] = ()


SENSOR = Quality(5, reliable=False)
RESULT = Quality(10)
LATCHED = Quality(1, latched=True)
CLOCK = Topic('/clock', 'rosgraph_msgs/Clock', Quality(1, reliable=False), 'with `use_sim_time`')
COMMON = 'state, balance of what came, latencies, '
ENGINE = '`backend`, `engine`'


def _transforms(why: str) -> tuple[Topic, Topic]:
    return (Topic('/tf', 'tf2_msgs/TFMessage', Quality(100), why),
            Topic('/tf_static', 'tf2_msgs/TFMessage', Quality(100, latched=True), 'likewise'))


def _diagnostics(more: str) -> Topic:
    return Topic('/diagnostics', 'diagnostic_msgs/DiagnosticArray', RESULT,
                 f'status `<node>: pipeline`: {COMMON}{more}')


CLOUD = Topic(
    '~/input/pointcloud', 'sensor_msgs/PointCloud2', SENSOR,
    'one scan; fields x, y, z, and if there are any intensity (`intensity`, `i`, `reflectivity`) '
    'and time (`t`, `time`, `timestamp`, `time_stamp`, `offset_time`) of any type and order; '
    'padding, organised and big-endian clouds are read')
LABELS = Topic('~/output/label_info', 'vision_msgs/LabelInfo', LATCHED, 'names of the classes')
DETECTOR = Interface(
    (CLOUD, CLOCK),
    (Topic('~/output/objects', 'vision_msgs/Detection3DArray', RESULT,
           'boxes with class name, score, covariance of x and y; variance of yaw '
           '`(1 - p) pi^2`, where `p` is the probability that the heading is not reversed'),
     LABELS,
     Topic('~/debug/markers', 'visualization_msgs/MarkerArray', Quality(2),
           'wire frames, headings where they are known, labels; only if somebody listens or '
           '`vision_msgs` is missing'),
     _diagnostics(f'model, {ENGINE}')))
SEGMENTER = Interface(
    (CLOUD,
     Topic('~/input/odometry', 'nav_msgs/Odometry', Quality(50, reliable=False),
           'with `odometry_source: topic`'),
     *_transforms('with `odometry_source: topic` or `tf`'), CLOCK),
    (Topic('~/output/pointcloud', 'sensor_msgs/PointCloud2', Quality(2),
           'the decoded points with class and object, see below'),
     Topic('~/output/objects', 'vision_msgs/Detection3DArray', RESULT,
           'confirmed tracks: `id`, class, score, box, covariance as of `lidar_detector`'),
     Topic('~/output/label_info', 'vision_msgs/LabelInfo', LATCHED,
           'names of the values of `semantic`'),
     Topic('~/debug/markers', 'visualization_msgs/MarkerArray', Quality(2),
           'boxes with ids; with odometry also velocities and the ways of the last 3 s, in its '
           'frame; only if somebody listens or `vision_msgs` is missing'),
     _diagnostics(f'model, {ENGINE}, mode')))
PLANNER = Interface(
    (Topic('~/input/map', 'nav_msgs/OccupancyGrid', LATCHED,
           'the map, at any angle; a new one replaces it'),
     Topic('~/input/map_updates', 'map_msgs/OccupancyGridUpdate', RESULT,
           'a part of the map; only if `map_msgs` is installed'),
     Topic('~/input/goal', 'geometry_msgs/PoseStamped', RESULT,
           'a goal, in any frame that transforms lead to; the robot starts where it is'),
     *_transforms('where the robot (`robot_base_frame`) and other frames are on the map'), CLOCK),
    (Topic('~/output/path', 'nav_msgs/Path', LATCHED,
           'frame of the map, stamp of the goal; poses look ahead, the last one as the goal does'),
     Topic('~/debug/markers', 'visualization_msgs/MarkerArray', LATCHED,
           'the path and the moves within 1 m of it, coloured by their cost per metre; only if '
           'somebody listens'),
     _diagnostics(f'map and costs in use, {ENGINE}')),
    (Action('compute_path_to_pose', 'nav2_msgs/action/ComputePathToPose',
            'a path from the robot, or from `start`, to a goal; `eq_msgs/action/ComputePathToPose`'
            ' of the same shape where `nav2_msgs` is not installed'),))
COSTMAP = Interface(
    (Topic('~/input/pointcloud', 'sensor_msgs/PointCloud2', SENSOR,
           'points with the field `semantic`, ids as in the labels of SemanticKITTI; each cloud '
           'is answered with a map'),
     Topic('~/input/odometry', 'nav_msgs/Odometry', Quality(50, reliable=False),
           'where the body is; only for `odometry_source: topic`'),
     *_transforms('where the sensor is in `odom_frame`, or on the body of the odometry'), CLOCK),
    (Topic('~/output/map', 'nav_msgs/OccupancyGrid', LATCHED,
           '0 to 99 the cost of the ground, 100 lethal, -1 unknown; frame of the odometry, stamp '
           'of the cloud'),
     _diagnostics('frame of the map, stamp of the newest pose')))
FOLLOWER = Interface(
    (Topic('~/input/path', 'nav_msgs/Path', Quality(1),
           'what to follow; a new one replaces it, one of no poses ends it. An old path of a '
           'latched publisher is not taken after a new start'),
     Topic('~/input/odometry', 'nav_msgs/Odometry', Quality(1, reliable=False),
           'where the robot is; each message is answered with a command'),
     *_transforms('where the frame of the odometry is in that of the path, if they differ'),
     CLOCK),
    (Topic('~/output/cmd_vel', 'geometry_msgs/Twist', RESULT,
           'speed ahead, never negative, and turn rate; always finite. Nothing at all while there '
           'is no path'),
     _diagnostics('the way that is left')))
POLICY = Interface(
    (Topic('~/input/depth', 'sensor_msgs/Image', SENSOR,
           '`16UC1` [mm] or `32FC1` [m], registered to colour; 0, NaN, infinite and negative are '
           'not seen'),
     Topic('~/input/color', 'sensor_msgs/Image', SENSOR,
           '`rgb8`, `bgr8`, `rgba8`, `bgra8` or `mono8`, of the same size and frame'),
     Topic('~/input/camera_info', 'sensor_msgs/CameraInfo', SENSOR,
           'their camera, with every image'),
     Topic('~/input/points', 'sensor_msgs/PointCloud2', SENSOR,
           'with `input: points`, in place of the three: x, y, z and `rgb` or `rgba`'),
     *_transforms('where the camera is in `workspace_frame` at the stamp of the image'), CLOCK),
    (*(Topic(f'~/output/{name}', 'geometry_msgs/PoseStamped', RESULT, meaning)
       for name, meaning in (
           ('pick', 'the best pick, in `workspace_frame`, stamp of the look'),
           ('place', 'the best place for it'))),
     *(Topic(f'~/output/{name}', 'geometry_msgs/PoseArray', RESULT, meaning)
       for name, meaning in (
           ('picks', 'all that are fit, best first'),
           ('places', 'likewise; every place is for the first pick'))),
     Topic('~/output/scored_poses', 'vision_msgs/Detection3DArray', RESULT,
           'the same with their scores, class `pick` or `place`, id `pick_0` and so on; boxes '
           'have no size; only if `vision_msgs` is installed'),
     *(Topic(f'~/debug/{name}_heatmap', 'sensor_msgs/Image', RESULT, meaning)
       for name, meaning in (
           ('pick', '`32FC1`, probability of each cell; rows along y, columns along x, with the '
            'margin that makes the table a square; only if somebody listens'),
           ('place', 'likewise, for the first pick'))),
     _diagnostics(f'newest look, workspace, {ENGINE}')),
    (Action('~/plan_pick_place', 'eq_msgs/action/PlanPickPlace',
            'poses on the newest look, or on one that comes within `timeout`'),))
INTERFACES = {'lidar_detector': DETECTOR, 'panoptic_segmenter': SEGMENTER,
              'graph_planner': PLANNER, 'semantic_costmap': COSTMAP,
              'path_follower': FOLLOWER, 'pick_place_policy': POLICY}
