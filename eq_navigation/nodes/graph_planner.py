"""The node `graph_planner`: map and goal in, path out. All maths is elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
import sys
import time
from typing import Any

from eq_core.errors import BackendError
from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.errors import TransformError
from eq_core.geometry.occupancy import OccupancyMap
from eq_core.runtime.backend import SessionOptions
from eq_navigation.costs import LearnedCosts
from eq_navigation.features import MAP_FEATURES
from eq_navigation.outcome import ErrorCode
from eq_navigation.outcome import Plan
from eq_navigation.outcome import Refusal
from eq_navigation.planner import Costs
from eq_navigation.planner import Planner
from eq_navigation.planner import PlanningConfig
from eq_ros import qos
from eq_ros.guard import Guard
from eq_ros.guard import one_line
from eq_ros.health import Level
from eq_ros.inference import InferenceNode
from eq_ros.inference import InferenceParameters
from eq_ros.keep_latest import KeepLatest
from eq_ros.maps import apply_update
from eq_ros.maps import decode_map
from eq_ros.messages import ComputePathToPose
from eq_ros.messages import Header
from eq_ros.messages import MarkerArray
from eq_ros.messages import missing
from eq_ros.messages import OccupancyGrid
from eq_ros.messages import OccupancyGridUpdate
from eq_ros.messages import Path
from eq_ros.messages import PoseStamped
from eq_ros.parameters import parameter
from eq_ros.paths import path_markers
from eq_ros.paths import path_message
from eq_ros.planar_poses import PlanarPoses
from eq_ros.planning import Answer
from eq_ros.planning import fill_result
from eq_ros.planning import Request
from eq_ros.process import run
from eq_ros.requests import Handling
from eq_ros.requests import RequestServer
from eq_ros.transforms import Transforms

PLANNER_ID = 'GraphPlanner'
DRAWN = 1.      # moves nearer to the path are drawn [m]


@dataclass(frozen=True)
class Parameters(InferenceParameters):
    """Parameters of the node; `config/graph_planner.param.yaml` shows them all."""

    input_timeout: float = parameter(
        0., 'Time without a request after which the node reports an error, 0 for never [s]',
        minimum=0., maximum=3600., live=True)
    model_path: str = parameter(
        '', 'Folder of a bundle with costs that were learnt on maps; empty for lengths')
    robot_radius: float = parameter(
        .2, 'The centre keeps farther from obstacles than this [m]', minimum=0., maximum=100.)
    occupied: int = parameter(65, 'Least occupancy of an obstacle', minimum=1, maximum=100)
    allow_unknown: bool = parameter(True, 'Whether unknown cells may be crossed')
    smooth: bool = parameter(True, 'Whether paths are pulled tight')
    spacing: float = parameter(
        .1, 'Largest distance of two poses of a path [m]', minimum=1e-3, maximum=100.)
    tolerance: float = parameter(
        .5, 'An occupied goal is replaced by the nearest free place within it [m]', minimum=0.,
        maximum=100.)
    max_planning_time: float = parameter(
        2., 'Longest time from request to answer [s]', minimum=.01, maximum=3600., live=True)
    robot_base_frame: str = parameter('base_link', 'Frame of the robot')
    transform_timeout: float = parameter(
        .2, 'Longest wait for a transform [s]', minimum=0., maximum=10., live=True)
    transform_tolerance: float = parameter(
        1., 'Older poses of the robot are not used [s]', minimum=0., maximum=3600., live=True)
    replan: bool = parameter(
        False, 'Whether the last goal of the topic is planned to again when the map changes',
        live=True)
    map_timeout: float = parameter(
        0., 'Older maps are not planned on, 0 to accept all [s]', minimum=0., maximum=86400.,
        live=True)


def open_costs(parameters: Parameters, options: SessionOptions) -> Costs | None:
    """Opens the model that the parameters name.

    Raises:
        ConfigError: It knows other things of a place than a map tells.
    """
    if not parameters.model_path:
        return None
    costs = LearnedCosts.from_bundle(parameters.model_path, parameters.backends,
                                     parameters.threads, parameters.precision, options)
    if costs.features != len(MAP_FEATURES):
        raise ConfigError(f'{parameters.model_path} takes {costs.features} features of a place, a '
                          f'map tells {len(MAP_FEATURES)}: {", ".join(MAP_FEATURES)}')
    return costs


class GraphPlannerNode(InferenceNode[Parameters]):
    """Answers every request with a path that is valid on the newest map, or with a reason."""

    def __init__(self, make_costs: Callable[[Parameters], Costs | None] | None = None,
                 **options: Any) -> None:
        """Declares the parameters.

        Args:
            make_costs: Opens learned costs at `configure`; the real one if None.
            options: Passed on to rclpy.
        """
        super().__init__('graph_planner', Parameters, **options)
        self._make_costs = make_costs or (
            lambda parameters: open_costs(parameters, self.session_options(parameters)))
        self._costs: Costs | None = None
        self._planner: Planner | None = None
        self._world: OccupancyMap | None = None
        self._world_since = 0.
        self._transforms = Transforms()
        self._guard = Guard(self.log, self.recover, on_drop=self.health.dropped)
        self._worker: KeepLatest[Request] = KeepLatest(self._work, self._skip, 'planning')
        self._newest: Request | None = None
        self._goal: PoseStamped | None = None       # the last one of the topic
        self._outputs: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._server: RequestServer[Request, Answer] | None = None
        self._active = False

    def configure(self, parameters: Parameters) -> None:
        """Opens the model, creates the publishers and the action."""
        self._costs = self._make_costs(parameters)
        self.tell_sessions(filter(None, [getattr(self._costs, 'session', None)]))
        self._planner = Planner(PlanningConfig(
            parameters.robot_radius, parameters.occupied, parameters.allow_unknown,
            parameters.smooth, parameters.spacing, parameters.tolerance), self._costs)
        for package, lost in missing().items():
            if package in ('tf2_msgs', 'map_msgs', 'eq_msgs'):
                self.get_logger().warning(f'{package} is not installed: no {lost}')
        for key, kind, topic, profile in (
                ('path', Path, '~/output/path', qos.latched()),
                ('markers', MarkerArray, '~/debug/markers', qos.latched())):
            self._outputs[key] = self.create_lifecycle_publisher(
                kind, topic, profile, qos_overriding_options=qos.overridable())
        if ComputePathToPose is not None:
            self._server = RequestServer(self, ComputePathToPose, 'compute_path_to_pose', Handling(
                lambda: self._active, self._request, self._take, lambda: Answer(
                    error_code=ErrorCode.UNKNOWN, cancelled=True,
                    error_text='planning was cancelled'),
                lambda answer: fill_result(ComputePathToPose.Result(), answer)))

    def activate(self) -> None:
        """Takes maps and goals from now on."""
        self._guard.reset()
        self._transforms.start(self)
        self._worker.start()
        self._active = True
        kinds = [(OccupancyGrid, '~/input/map', self._on_map, qos.latched()),
                 (PoseStamped, '~/input/goal', self._on_goal, qos.result())]
        if OccupancyGridUpdate is not None:
            kinds.append((OccupancyGridUpdate, '~/input/map_updates', self._on_update,
                          qos.result()))
        self._inputs = [self.create_subscription(
            kind, topic, callback, profile, qos_overriding_options=qos.overridable())
            for kind, topic, callback, profile in kinds]

    def deactivate(self) -> None:
        """Takes nothing any more and lets the request at hand end."""
        self._active = False
        self._newest = self._goal = None    # what is being planned ends at its next step
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        if not self._worker.stop():
            raise BackendError('the plan at hand did not end in time')
        self._transforms.stop()
        self._world = None      # whoever publishes it says it again to the next subscriber

    def cleanup(self) -> None:
        """Closes the model, the action and the publishers."""
        if self._server is not None:
            self._server.destroy()
            self._server = None
        for publisher in self._outputs.values():
            self.destroy_lifecycle_publisher(publisher)
        self._outputs.clear()
        session = getattr(self._costs, 'session', None)
        if session is not None:
            session.close()
        self._planner, self._costs = None, None

    def time_jumped(self) -> None:
        """Forgets where things moved and where to; maps hold whatever the time."""
        self._transforms.clear()
        self._goal = None

    def topics(self) -> list[str]:
        """Topics of the inputs and the outputs."""
        return [end.topic_name for end in (*self._inputs, *self._outputs.values())]

    def describe(self) -> Mapping[str, str]:
        """The map, and what moves cost."""
        world = self._world
        return {'map': 'none' if world is None else
                f'{world.cells.shape[0]} x {world.cells.shape[1]} cells of {world.resolution:g} m '
                f"in '{world.frame_id}'",
                'costs': 'lengths' if self._costs is None else 'learned', **self.engine_facts}

    def _on_map(self, message: OccupancyGrid) -> None:
        """Takes a map."""
        self._take_map(lambda: decode_map(message))

    def _on_update(self, message: Any) -> None:
        """Takes a part of a map."""
        def updated() -> OccupancyMap:
            if self._world is None:
                raise InputError('there is no map to be updated yet', 'no_map')
            return apply_update(self._world, message)
        self._take_map(updated)

    def _take_map(self, read: Callable[[], OccupancyMap]) -> None:
        """Takes a map that can be read; otherwise nothing is planned until one can."""
        try:
            self._world, self._world_since = read(), time.monotonic()
            self.health.clear('map')
            if self._goal is not None and self.parameters.replan:
                self._take(Request(self.accounting.receive(), self._goal))
        except InputError as error:
            self._world = None
            text = f'no planning, the map is refused: {one_line(error)}'
            self.health.set('map', Level.ERROR, text)
            self.log.error('map', text)

    def _on_goal(self, message: PoseStamped) -> None:
        """Takes a goal; the robot starts where it is."""
        self._goal = message
        self._take(Request(self.accounting.receive(), message))

    def _request(self, handle: Any, reply: Callable[[Answer], None]) -> Request:
        """What a goal of the action asks for."""
        goal = handle.request
        return Request(self.accounting.receive(), goal.goal,
                       goal.start if goal.use_start else None, goal.planner_id, reply)

    def _take(self, request: Request) -> None:
        """Lets the newest request be worked on in the other thread."""
        self.input_seen()
        self._newest = request
        self._worker.put(request)

    def _skip(self, request: Request, reason: str) -> None:
        """Answers a request that a newer one has overtaken."""
        text = 'a newer goal came' if reason == 'busy' else 'the node was deactivated'
        request.ticket.drop(reason)
        request.answer(Answer(error_code=ErrorCode.UNKNOWN, error_text=text))
        self.health.dropped(reason, text)
        self.log.warning(reason, f'request dropped ({reason}): {text}')

    def _work(self, request: Request) -> None:
        """Answers one request behind the guard."""
        if request.open:
            self._guard.run(request.ticket, lambda: self._answer(request))

    def _answer(self, request: Request) -> None:
        """Plans and publishes; whatever goes wrong is told to whoever asked as well."""
        began = time.monotonic()
        try:
            plan, world = self._plan(request)
        except Exception as error:
            code = error.code if isinstance(error, Refusal) else ErrorCode.UNKNOWN
            request.answer(Answer(error_code=code, error_text=one_line(error),
                                  seconds=time.monotonic() - began))
            if isinstance(error, Refusal):
                raise InputError(str(error), code.name.lower()) from error
            raise
        header = Header(frame_id=world.frame_id, stamp=request.goal.header.stamp)
        with request.ticket.stage('encode'):
            message = path_message(plan.poses, header)
        if not request.answer(Answer(message, seconds=time.monotonic() - began)):
            return      # cancelled meanwhile
        self._outputs['path'].publish(message)
        request.ticket.publish()
        if plan.note:
            self.health.warn('costs', plan.note)
            self.log.warning('costs', plan.note)
        self._draw(plan, header)

    def _plan(self, request: Request) -> tuple[Plan, OccupancyMap]:
        """Finds out where to plan from, to and on, and plans.

        Raises:
            Refusal: There is no path, and why.
            InputError: The request cannot be meant.
        """
        parameters, world, planner = self.parameters, self._world, self._planner
        if request.planner_id not in ('', PLANNER_ID):
            raise Refusal(ErrorCode.INVALID_PLANNER, 'there is no planner '
                          f"'{request.planner_id}', only '{PLANNER_ID}'")
        if world is None or planner is None:
            raise InputError('there is no map to plan on', 'no_map')
        age = time.monotonic() - self._world_since
        if parameters.map_timeout and age > parameters.map_timeout:
            raise InputError(f'the map is {age:.1f} s old, expected at most '
                             f'{parameters.map_timeout:g} s', 'stale_map')
        began = time.monotonic()
        with request.ticket.stage('transform'):
            try:
                poses = PlanarPoses(self._transforms, parameters.transform_timeout)
                goal = poses.of_message(request.goal, world.frame_id, 'goal')
                start = (poses.of_message(request.start, world.frame_id, 'start')
                         if request.start is not None else poses.of_frame(
                             parameters.robot_base_frame, world.frame_id,
                             self.get_clock().now().nanoseconds, parameters.transform_tolerance))
            except TransformError as error:
                raise Refusal(ErrorCode.TF_ERROR, one_line(error)) from error
        limit = parameters.max_planning_time - (time.monotonic() - began)
        with request.ticket.stage('planning'):
            plan = planner.plan(world, start, goal, limit, lambda: not (
                request.open and request is self._newest))
        if plan.error_code != ErrorCode.NONE:
            if request is not self._newest:
                raise InputError('a newer goal came', 'busy' if self._active else 'stopped')
            raise Refusal(plan.error_code, plan.error_text)
        return plan, world

    def _draw(self, plan: Plan, header: Header) -> None:
        """Publishes the path and what it was chosen from, if somebody looks."""
        if self._planner is None or not self._outputs['markers'].get_subscription_count():
            return
        edges, rate = self._planner.edges_around(plan.poses[:, :2], DRAWN)
        self._outputs['markers'].publish(path_markers(plan.poses, edges, rate, header))


def main(arguments: list[str] | None = None) -> int:
    """Runs the node as a process."""
    return run(GraphPlannerNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
