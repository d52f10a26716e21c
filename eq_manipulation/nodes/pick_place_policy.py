"""The node `pick_place_policy`: a look at a table in, poses to pick and to place at out."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
import math
import sys
import time
from typing import Any
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import BackendError
from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.errors import TransformError
from eq_core.geometry.heightmap import HeightMap
from eq_core.geometry.heightmap import Workspace
from eq_core.runtime.backend import SessionOptions
from eq_manipulation.fitness import fit_poses
from eq_manipulation.outcome import PickPlace
from eq_manipulation.outcome import Refusal
from eq_manipulation.outcome import ResultCode
from eq_manipulation.planar.config import PlanarConfig
from eq_manipulation.planar.policy import PlanarPolicy
from eq_ros import qos
from eq_ros.guard import Guard
from eq_ros.guard import one_line
from eq_ros.inference import InferenceNode
from eq_ros.inference import InferenceParameters
from eq_ros.keep_latest import KeepLatest
from eq_ros.messages import header
from eq_ros.messages import Image
from eq_ros.messages import missing
from eq_ros.messages import PlanPickPlace
from eq_ros.messages import PoseArray
from eq_ros.messages import PoseStamped
from eq_ros.messages import vision_msgs
from eq_ros.parameters import parameter
from eq_ros.pick_place import Answer
from eq_ros.pick_place import best
from eq_ros.pick_place import fill_result
from eq_ros.pick_place import image_message
from eq_ros.pick_place import PickPlaceRequest
from eq_ros.pick_place import pose_array
from eq_ros.pick_place import scored_poses
from eq_ros.process import run
from eq_ros.requests import Handling
from eq_ros.requests import RequestServer
from eq_ros.table_views import INPUTS
from eq_ros.table_views import RGBD
from eq_ros.table_views import TableView
from eq_ros.table_views import TableViews
from eq_ros.transforms import POLL
from eq_ros.transforms import Transforms

NANOSECONDS = 1e-9
MOST = 100          # poses of either kind


@dataclass(frozen=True)
class Parameters(InferenceParameters):
    """Parameters of the node; `config/pick_place_policy.param.yaml` shows them all."""

    model_path: str = parameter('', 'Folder of a policy, with its parts scene and crop')
    input: str = parameter(
        RGBD, 'What comes: images of colour and depth, or clouds of coloured points',
        choices=INPUTS)
    rectified: bool = parameter(
        False, 'Whether images are rectified, so that P of camera_info holds; else K')
    slop: float = parameter(
        .02, 'Largest difference of the stamps of depth, colour and camera_info [s]', minimum=0.,
        maximum=1.)
    workspace_frame: str = parameter('base_link', 'Frame of the workspace and of all poses')
    workspace_lower: tuple[float, ...] = parameter(
        (.25, -.5, 0.), 'Least x, y, z of the workspace [m]')
    workspace_upper: tuple[float, ...] = parameter(
        (.75, .5, .28), 'Largest x, y, z of the workspace [m]')
    score_threshold: float = parameter(
        .2, 'Lowest score that is given out', minimum=0., maximum=1., live=True)
    count: int = parameter(5, 'Most poses of either kind', minimum=1, maximum=MOST, live=True)
    continuous: bool = parameter(
        False, 'Whether every look is planned on; else only those that are asked for', live=True)
    max_planning_time: float = parameter(
        10., 'Longest time from request to answer [s]', minimum=.01, maximum=3600., live=True)
    max_age: float = parameter(
        1., 'Looks whose stamp is further from now are not planned on, 0 to accept all [s]',
        minimum=0., maximum=3600., live=True)
    transform_timeout: float = parameter(
        .2, 'Longest wait for a transform [s]', minimum=0., maximum=10., live=True)

    def __post_init__(self) -> None:
        """Checks what a range cannot.

        Raises:
            ConfigError: An input is unknown, a name is empty, or a corner is no place.
        """
        super().__post_init__()
        if not self.workspace_frame:
            raise ConfigError("parameter 'workspace_frame' must name a frame")
        for name in ('workspace_lower', 'workspace_upper'):
            corner = getattr(self, name)
            if len(corner) != 3 or not np.isfinite(corner).all():
                raise ConfigError(f"parameter '{name}' must be x, y, z [m], got {list(corner)}")


class PolicyFace(Protocol):
    """The part of `PlanarPolicy` that the node uses."""

    config: PlanarConfig

    @property
    def notes(self) -> list[str]:
        """What a user should know of the backends."""

    def plan(self, heightmap: HeightMap, count: int = 5) -> PickPlace:
        """Tells where to pick and where to place."""

    def close(self) -> None:
        """Lets go of the networks."""


def open_policy(parameters: Parameters, options: SessionOptions) -> PlanarPolicy:
    """Opens the policy that the parameters name.

    Raises:
        ConfigError: They name none: what to pick is a matter of your demonstrations.
    """
    if not parameters.model_path:
        raise ConfigError("parameter 'model_path' must name the folder of a policy")
    return PlanarPolicy.from_bundle(parameters.model_path, parameters.backends, parameters.threads,
                                    parameters.precision, options)


class PickPlacePolicyNode(InferenceNode[Parameters]):
    """Answers every request with poses that are fit to be used, or with a reason."""

    def __init__(self, make_policy: Callable[[Parameters], PolicyFace] | None = None,
                 **options: Any) -> None:
        """Declares the parameters.

        Args:
            make_policy: Opens the policy at `configure`; the real one if None.
            options: Passed on to rclpy.
        """
        super().__init__('pick_place_policy', Parameters, **options)
        self._make_policy = make_policy or (
            lambda parameters: open_policy(parameters, self.session_options(parameters)))
        self._policy: PolicyFace | None = None
        self._workspace: Workspace | None = None
        self._view: TableView | None = None     # the newest one
        self._views: TableViews | None = None
        self._transforms = Transforms()
        self._guard = Guard(self.log, self.recover, on_drop=self.health.dropped)
        self._worker: KeepLatest[PickPlaceRequest] = KeepLatest(
            self._work, self._skip, 'inference')
        self._outputs: dict[str, Any] = {}
        self._server: RequestServer[PickPlaceRequest, Answer] | None = None
        self._active = False

    def configure(self, parameters: Parameters) -> None:
        """Opens the policy, creates the publishers and the action."""
        self._policy = policy = self._make_policy(parameters)
        self._workspace = policy.config.workspace_between(parameters.workspace_lower,
                                                          parameters.workspace_upper)
        self.tell_sessions(getattr(policy, 'sessions', ()), policy.notes)
        for package, lost in missing().items():
            if package in ('tf2_msgs', 'eq_msgs', 'vision_msgs'):
                self.get_logger().warning(f'{package} is not installed: no {lost}')
        for key, kind, topic in (
                ('pick', PoseStamped, '~/output/pick'), ('place', PoseStamped, '~/output/place'),
                ('picks', PoseArray, '~/output/picks'), ('places', PoseArray, '~/output/places'),
                ('pick_heat', Image, '~/debug/pick_heatmap'),
                ('place_heat', Image, '~/debug/place_heatmap')):
            self._advertise(key, kind, topic)
        if vision_msgs is not None:
            self._advertise('scored', vision_msgs.Detection3DArray, '~/output/scored_poses')
        if PlanPickPlace is not None:
            self._server = RequestServer(self, PlanPickPlace, '~/plan_pick_place', Handling(
                lambda: self._active, self._request, self._worker.put, lambda: Answer(
                    error_code=ResultCode.UNKNOWN, cancelled=True,
                    error_text='planning was cancelled'),
                lambda answer: fill_result(PlanPickPlace.Result(), answer)))

    def activate(self) -> None:
        """Looks and takes requests from now on."""
        parameters = self.parameters
        self._guard.reset()
        self._transforms.start(self)
        self._worker.start()
        self._active = True
        self._views = TableViews(parameters.input, parameters.slop, parameters.rectified,
                                 self._on_view, self._on_alone)
        self._views.start(self)

    def deactivate(self) -> None:
        """Looks no more and lets the request at hand end."""
        self._active = False    # ends the wait for a look
        if self._views is not None:
            self._views.stop(self)
            self._views = None
        if not self._worker.stop():
            raise BackendError('the request at hand did not end in time')
        self._transforms.stop()
        self._view = None

    def cleanup(self) -> None:
        """Closes the policy, the action and the publishers."""
        if self._server is not None:
            self._server.destroy()
            self._server = None
        for publisher in self._outputs.values():
            self.destroy_lifecycle_publisher(publisher)
        self._outputs.clear()
        if self._policy is not None:
            self._policy.close()
        self._policy, self._workspace = None, None

    def time_jumped(self) -> None:
        """Forgets what was seen, and where the camera was."""
        self._transforms.clear()
        self._view = None
        if self._views is not None:
            self._views.clear()

    def topics(self) -> list[str]:
        """Topics of the inputs and the outputs."""
        inputs = [] if self._views is None else self._views.topics()
        return inputs + [output.topic_name for output in self._outputs.values()]

    def describe(self) -> Mapping[str, str]:
        """The newest look, and where it is looked."""
        view, space = self._view, self._workspace
        return {**self.engine_facts,
                'view': 'none' if view is None else f'{view.stamp * NANOSECONDS:.3f}',
                'workspace': 'none' if space is None else
                f"{space.lower} to {space.upper} m in '{self.parameters.workspace_frame}'"}

    def _advertise(self, key: str, kind: Any, topic: str) -> None:
        """Creates one publisher."""
        self._outputs[key] = self.create_lifecycle_publisher(
            kind, topic, qos.result(), qos_overriding_options=qos.overridable())

    def _on_view(self, view: TableView) -> None:
        """Keeps a look for who asks, and plans on it if all are planned on."""
        self.input_seen()
        self._view = view
        if not self.parameters.continuous:
            return
        request = PickPlaceRequest(self.accounting.receive(), view)
        if self._server is not None and self._server.waiting:
            self._skip(request, 'busy')     # who has asked goes first
        else:
            self._worker.put(request)

    def _on_alone(self, count: int) -> None:
        """Counts depth images that no colour and camera_info belong to."""
        text = (f'depth images without colour and camera_info within {self.parameters.slop:g} s: '
                f'{count}')
        for _ in range(count):
            self.accounting.receive().drop('unpaired')
        self.health.dropped('unpaired', text)
        self.log.warning('unpaired', f'input dropped (unpaired): {text}')

    def _request(self, handle: Any, reply: Callable[[Answer], None]) -> PickPlaceRequest:
        """What a goal of the action asks for."""
        goal = handle.request
        return PickPlaceRequest(
            self.accounting.receive(), None, goal.timeout, goal.count, reply,
            lambda stage: handle.publish_feedback(PlanPickPlace.Feedback(stage=stage)))

    def _skip(self, request: PickPlaceRequest, reason: str) -> None:
        """Answers a request that another one has overtaken."""
        text = 'another request came' if reason == 'busy' else 'the node was deactivated'
        request.ticket.drop(reason)
        request.answer(Answer(error_code=ResultCode.UNKNOWN, error_text=text))
        self.health.dropped(reason, text)
        self.log.warning(reason, f'request dropped ({reason}): {text}')

    def _work(self, request: PickPlaceRequest) -> None:
        """Answers one request behind the guard."""
        if request.open:
            self._guard.run(request.ticket, lambda: self._answer(request))

    def _answer(self, request: PickPlaceRequest) -> None:
        """Plans and publishes; whatever goes wrong is told to whoever asked as well."""
        try:
            found = self._plan(request)
        except Exception as error:
            request.answer(Answer(error_code=_code(error), error_text=one_line(error),
                                  seconds=request.seconds))
            if isinstance(error, Refusal):
                raise InputError(str(error), error.code.name.lower()) from error
            raise
        head = header(found.frame_id, found.stamp)
        answer = Answer(pose_array(found.pick, head), pose_array(found.place, head),
                        tuple(found.pick_score.tolist()), tuple(found.place_score.tolist()),
                        seconds=request.seconds)
        if not request.answer(answer):
            return      # cancelled meanwhile
        for key, message in (('pick', best(answer.picks)), ('place', best(answer.places)),
                             ('picks', answer.picks), ('places', answer.places)):
            self._outputs[key].publish(message)
        if 'scored' in self._outputs:
            self._outputs['scored'].publish(scored_poses(answer))
        for key in ('pick_heat', 'place_heat'):
            if self._outputs[key].get_subscription_count():
                self._outputs[key].publish(image_message(getattr(found, key), head))
        request.ticket.publish()

    def _plan(self, request: PickPlaceRequest) -> PickPlace:
        """Looks, plans, and keeps what is fit to be used.

        Raises:
            Refusal: There is no answer, and why.
            InputError: The look is not what it says.
        """
        parameters, policy, space = self.parameters, self._policy, self._workspace
        if policy is None or space is None:
            raise InputError('the node is not configured', 'stopped')
        if not (0 <= request.timeout < math.inf and 0 <= request.count <= MOST):
            raise Refusal(ResultCode.INVALID_GOAL, f'timeout must be 0 or more [s] and count in '
                          f'0..{MOST}, got {request.timeout} and {request.count}')
        limit = request.timeout or parameters.max_planning_time
        with request.stage('waiting'):
            view = self._await_view(request, parameters, limit)
        with request.stage('transform'):
            try:
                pose = self._pose(view, parameters)
            except TransformError as error:
                raise Refusal(ResultCode.TF_ERROR, one_line(error)) from error
        with request.stage('heightmap'):
            table = view.heightmap(pose, space, parameters.workspace_frame)
        _check_time(request, limit)
        with request.stage('inference'):
            found = policy.plan(table, request.count or parameters.count)
        _check_time(request, limit)
        return fit_poses(found, table, parameters.score_threshold)

    def _await_view(self, request: PickPlaceRequest, parameters: Parameters, limit: float
                    ) -> TableView:
        """The look of the request, or the newest one; waits for one that is fresh."""
        while True:
            view = request.view or self._view
            if view is None:
                code, text = ResultCode.NO_IMAGE, 'nothing has been seen yet'
            else:
                age = (self.get_clock().now().nanoseconds - view.stamp) * NANOSECONDS
                if not parameters.max_age or abs(age) <= parameters.max_age:
                    return view
                code, text = ResultCode.STALE_IMAGE, (
                    f'the stamp is {age:.3f} s old, expected at most {parameters.max_age:g} s '
                    'before or after now')
            if not self._active:
                raise InputError('the node was deactivated', 'stopped')
            if not request.open:
                raise InputError('planning was cancelled', 'cancelled')
            if request.view is not None or request.seconds > limit:
                raise Refusal(code, text)
            time.sleep(POLL)

    def _pose(self, view: TableView, parameters: Parameters) -> NDArray[np.float64]:
        """(4, 4) pose of the camera in the workspace's frame when it saw that."""
        if view.frame_id == parameters.workspace_frame:
            return np.eye(4)    # one and the same
        return self._transforms.await_lookup(parameters.workspace_frame, view.frame_id, view.stamp,
                                             parameters.transform_timeout)


def _check_time(request: PickPlaceRequest, limit: float) -> None:
    """Gives nothing out that comes too late."""
    if request.seconds > limit:
        raise Refusal(ResultCode.TIMEOUT, f'no answer within {limit:g} s')


def _code(error: Exception) -> ResultCode:
    """The number of the action for what went wrong."""
    if isinstance(error, Refusal):
        return error.code
    reason = error.reason.upper() if isinstance(error, InputError) else ''
    return ResultCode.__members__.get(reason, ResultCode.UNKNOWN)


def main(arguments: list[str] | None = None) -> int:
    """Runs the node as a process."""
    return run(PickPlacePolicyNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
