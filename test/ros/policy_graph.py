"""The other end of `pick_place_policy`: shows it a table, asks it, and listens to its answers."""

from __future__ import annotations

import time
from typing import Any

from fake_pick_place_policy import CONFIG
from fake_pick_place_policy import GOOD
from graph import _done
from graph import Graph
from graph import PATIENCE
import numpy as np
from pictures import camera
from pictures import color_image
from pictures import colored_cloud
from pictures import image
from rclpy.action import ActionClient
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from test_transforms import transform

from eq_ros import messages
from eq_ros import qos

NAME = '/pick_place_policy'
LOWER = (.3, -.2, 0.)
UPPER = CONFIG.workspace(LOWER).upper
FRAME = 'camera_optical'
EDGE, FOCAL, ABOVE = 96, 120., .6   # pixels, and the camera's height over the table [m]
BLOCK = np.s_[30:36, 60:66]         # rows and columns of the picture, .05 m high
SECOND = 10**9
WITHOUT_OURS = 'EQ_TEST_WITHOUT_OUR_MSGS'
AGAIN = 5.      # [s]; best effort may lose an image


def camera_pose() -> np.ndarray:
    """Base <- camera, which looks straight down at the middle of the workspace."""
    pose = np.diag([1., -1., -1., 1.])
    pose[:3, 3] = (LOWER[0] + UPPER[0]) / 2, (LOWER[1] + UPPER[1]) / 2, ABOVE
    return pose


def table(told: int = GOOD) -> tuple[np.ndarray, np.ndarray]:
    """Depth [m] and colours of a block on a table; its red tells the fake policy what to do."""
    depth = np.full((EDGE, EDGE), ABOVE - .001, np.float32)
    depth[BLOCK] = ABOVE - .05
    depth[70:80, 20:30] = 0.        # a hole
    color = np.full((EDGE, EDGE, 3), (told, 120, 120), np.uint8)
    return depth, color


def block() -> np.ndarray:
    """Middle of the top of the block in the base's frame [m]."""
    middle = (EDGE - 1) / 2
    local = [(62.5 - middle) / FOCAL, (32.5 - middle) / FOCAL, 1.]
    return (camera_pose() @ [*np.multiply(local, ABOVE - .05), 1.])[:3]


def _header(like: Any) -> Any:
    return messages.header(like.header.frame_id,
                           like.header.stamp.sec * SECOND + like.header.stamp.nanosec)


def real_image(fake: Any) -> Any:
    """A message of what `pictures` makes."""
    return messages.Image(
        header=_header(fake), height=fake.height, width=fake.width, encoding=fake.encoding,
        is_bigendian=fake.is_bigendian, step=fake.step, data=fake.data)


def real_camera(fake: Any, stamp: int) -> Any:
    """Likewise."""
    return messages.CameraInfo(
        header=messages.header(fake.header.frame_id, stamp), height=fake.height, width=fake.width,
        distortion_model=fake.distortion_model, d=list(fake.d), k=fake.k, r=fake.r, p=fake.p)


def look(told: int = GOOD, stamp: int = SECOND, depth: np.ndarray | None = None,
         color: np.ndarray | None = None, frame_id: str = FRAME, encoding: str = '32FC1'
         ) -> dict[str, Any]:
    """Messages of a look at the table, by topic."""
    usual = table(told)
    depth, color = usual[0] if depth is None else depth, usual[1] if color is None else color
    info = real_camera(camera(EDGE, EDGE, FOCAL), stamp)
    info.header.frame_id = frame_id
    return {'camera_info': info,
            'color': real_image(color_image(color, frame_id=frame_id, stamp=stamp)),
            'depth': real_image(image(depth, encoding, frame_id=frame_id, stamp=stamp))}


def mounted() -> Any:
    """The message that says where the camera is."""
    return messages.TFMessage(transforms=[transform('base_link', FRAME, camera_pose())])


class PolicyGraph:
    """A graph with the policy in it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        node = graph.node
        self.heard: dict[str, list[Any]] = {}
        self.stages: list[str] = []
        kinds = {'output/pick': messages.PoseStamped, 'output/place': messages.PoseStamped,
                 'output/picks': messages.PoseArray, 'output/places': messages.PoseArray,
                 'debug/pick_heatmap': messages.Image}
        if messages.vision_msgs is not None:
            kinds['output/scored_poses'] = messages.vision_msgs.Detection3DArray
        for topic, kind in kinds.items():
            self.heard[topic] = []
            node.create_subscription(kind, f'{NAME}/{topic}', self.heard[topic].append,
                                     qos.result())
        self.inputs = {name: node.create_publisher(kind, f'{NAME}/input/{name}', qos.sensor())
                       for name, kind in (('depth', messages.Image), ('color', messages.Image),
                                          ('camera_info', messages.CameraInfo),
                                          ('points', messages.PointCloud2))}
        self.static = node.create_publisher(messages.TFMessage, '/tf_static', QoSProfile(
            depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL))
        self.client = ActionClient(node, messages.PlanPickPlace, f'{NAME}/plan_pick_place')

    def start(self, *arguments: str, script: str = 'fake_pick_place_policy.py',
              points: bool = False) -> Any:
        """Starts the node and waits until all ends know each other."""
        graph = self.graph
        corners = [f'workspace_{name}:=[{", ".join(map(str, corner))}]'
                   for name, corner in (('lower', LOWER), ('upper', UPPER))]
        words = [word for text in ('max_age:=0.0', *corners, *arguments) for word in ('-p', text)]
        process = graph.start(*words, script=script, name=NAME)
        graph.wait(lambda: graph.values.get('state') == 'active', 'active')
        wanted = ('points',) if points else ('depth', 'color', 'camera_info')
        for name in wanted:
            graph.wait(lambda name=name: self.inputs[name].get_subscription_count() > 0, name)
        graph.wait(lambda: self.static.get_subscription_count() > 0, 'transforms')
        generated = WITHOUT_OURS not in graph.environment
        for topic in self.heard:
            if generated or 'scored' not in topic:
                graph.wait(lambda topic=topic: graph.node.count_publishers(f'{NAME}/{topic}') > 0,
                           topic)
        if generated:
            graph.wait(self.client.server_is_ready, 'action')
        graph.state()
        return process

    def mount(self) -> None:
        """Says where the camera is."""
        self.static.publish(mounted())

    def show(self, told: int = GOOD, stamp: int = SECOND, **changes: Any) -> None:
        """Publishes a look, again if a part of it is lost, and waits until the node has it."""
        last = -np.inf

        def seen() -> bool:
            nonlocal last
            if time.monotonic() - last > AGAIN:
                last = time.monotonic()
                for key, message in look(told, stamp, **changes).items():
                    self.inputs[key].publish(message)
            return self.graph.values.get('view') == f'{stamp / SECOND:.3f}'
        self.graph.wait(seen, 'view')

    def show_points(self, stamp: int = SECOND) -> Any:
        """Publishes the same as a cloud, and waits until the node has it."""
        depth, color = table()
        row, column = np.divmod(np.arange(EDGE * EDGE), EDGE)
        middle, far = (EDGE - 1) / 2, np.where(depth > 0, depth, np.nan).reshape(-1)
        xyz = np.stack([(column - middle) / FOCAL * far, (row - middle) / FOCAL * far, far], -1)
        fake = colored_cloud(xyz.astype(np.float32), color.reshape(-1, 3))
        fake.header = messages.header(FRAME, stamp)
        message = messages.pointcloud2(fake)
        self.inputs['points'].publish(message)
        self.graph.wait(lambda: self.graph.values.get('view') == f'{stamp / SECOND:.3f}', 'view')
        return message

    def ask(self, timeout: float = 60., count: int = 0) -> Any:
        """Asks for a pick and a place; the handle of the goal."""
        future = self.client.send_goal_async(
            messages.PlanPickPlace.Goal(timeout=timeout, count=count),
            feedback_callback=lambda message: self.stages.append(message.feedback.stage))
        assert _done(future, PATIENCE), self.graph.log()
        return future.result()

    def result(self, handle: Any) -> Any:
        """The status of a goal and its result."""
        future = handle.get_result_async()
        assert _done(future, PATIENCE), self.graph.log()
        return future.result().status, future.result().result
