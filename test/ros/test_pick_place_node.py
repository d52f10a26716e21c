"""The live policy: what it gives out is fit to be used, and for all else there is a reason."""

from __future__ import annotations

from pathlib import Path
import pickle
import shutil
import time

from fake_pick_place_policy import CONFIG
from fake_pick_place_policy import GOOD
from fake_pick_place_policy import LOW
from fake_pick_place_policy import NONSENSE
from fake_pick_place_policy import OUTSIDE
from fake_pick_place_policy import RAISE
from fake_pick_place_policy import SLOW
from fake_pick_place_policy import UNSEEN
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from action_msgs.msg import GoalStatus
from graph import ACTIVATE
from graph import CONFIGURE
from graph import DEACTIVATE
from graph import Graph
from policy_graph import block
from policy_graph import camera_pose
from policy_graph import EDGE
from policy_graph import look
from policy_graph import LOWER
from policy_graph import mounted
from policy_graph import NAME
from policy_graph import PolicyGraph
from policy_graph import SECOND
from policy_graph import table
from policy_graph import UPPER
from policy_graph import WITHOUT_OURS
from rosgraph_msgs.msg import Clock

from eq_core.geometry.heightmap import HeightMap
from eq_manipulation.outcome import ResultCode
from eq_manipulation.planar.policy import PlanarPolicy
from eq_ros import messages
from eq_ros.table_views import TableView

pytestmark = pytest.mark.skipif(
    None in (messages.TFMessage, messages.PlanPickPlace),
    reason='needs tf2_msgs and an action to plan')
REAL = 'eq_manipulation.nodes.pick_place_policy'


@pytest.fixture
def policy(graph: Graph) -> PolicyGraph:
    return PolicyGraph(graph)


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small policy of random weights."""
    torch = pytest.importorskip('torch', reason='needs torch to export a policy')
    pytest.importorskip('onnxscript', reason='needs onnxscript to export a policy')
    from eq_eval.training.export import export_policy
    from eq_manipulation.planar.model import PlanarNetworks
    from eq_manipulation.planar.preprocess import cut_crop
    from eq_manipulation.planar.preprocess import scene_picture
    torch.manual_seed(0)
    space, shape = CONFIG.workspace(LOWER), (CONFIG.rows, CONFIG.columns)
    rng = np.random.default_rng(0)
    shown = HeightMap(rng.uniform(0, .1, shape), rng.uniform(0, 1, (*shape, 3)),
                      np.ones(shape, bool), space)
    picture = scene_picture(shown, CONFIG)
    folder = tmp_path_factory.mktemp('policies') / 'random'
    export_policy(PlanarNetworks(CONFIG).eval(), folder, picture,
                  cut_crop(picture, (32, 32), CONFIG), 'random', {'seed': 0}, '')
    return folder


def place_of(pose) -> list[float]:
    return [pose.position.x, pose.position.y, pose.position.z]


def test_a_look_is_answered_with_poses_on_what_is_there(policy: PolicyGraph) -> None:
    graph = policy.graph
    policy.start()
    assert policy.result(policy.ask(.2))[1].error_code == ResultCode.NO_IMAGE
    policy.show(stamp=5 * SECOND)
    status, result = policy.result(policy.ask())
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, ResultCode.TF_ERROR)
    assert "'camera_optical'" in result.error_msg and not result.picks.poses
    policy.mount()
    graph.wait(lambda: policy.result(policy.ask())[1].error_code == 0, 'transform')
    status, result = policy.result(policy.ask())
    assert status == GoalStatus.STATUS_SUCCEEDED and result.error_msg == ''
    assert (result.pick.header.frame_id, result.pick.header.stamp.sec) == ('base_link', 5)
    # Within the block, on its top, upright
    np.testing.assert_allclose(place_of(result.pick.pose), block(), atol=.02)
    assert result.pick.pose.position.z == pytest.approx(.05, abs=1e-4)
    turn = result.place.pose.orientation
    np.testing.assert_allclose(abs(turn.z), np.sqrt(.5))
    # The third score is too low
    np.testing.assert_allclose(result.pick_scores, [.9, .6])
    assert (len(result.picks.poses), len(result.places.poses)) == (2, 1)
    assert policy.stages[-4:] == ['waiting', 'transform', 'heightmap', 'inference']
    assert len(policy.result(policy.ask(count=1))[1].picks.poses) == 1
    graph.wait(lambda: all(policy.heard.values()), 'topics')
    assert place_of(policy.heard['output/pick'][0].pose) == place_of(result.pick.pose)
    heat = policy.heard['debug/pick_heatmap'][0]
    assert (heat.encoding, heat.height, heat.width) == ('32FC1', 32, 32)
    assert np.argwhere(np.frombuffer(heat.data, '<f4').reshape(32, 32)).tolist() == [[3, 4]]
    if messages.vision_msgs is not None:
        scored = policy.heard['output/scored_poses'][0].detections
        assert [(each.id, each.results[0].hypothesis.class_id) for each in scored] == [
            ('pick_0', 'pick'), ('pick_1', 'pick'), ('place_0', 'place')]
    assert 'a note of the backend' in graph.reports[-1].message
    values = graph.settled()
    assert values['dropped.no_image'] == '1' and graph.balance() == 0


def test_no_pose_goes_out_that_is_not_fit(policy: PolicyGraph) -> None:
    graph = policy.graph
    policy.start()
    policy.mount()
    for stamp, (told, code, text) in enumerate((
            (LOW, ResultCode.LOW_SCORE, 'best place scores 0.100'),
            (OUTSIDE, ResultCode.OUTSIDE_WORKSPACE, 'best pick at (0.710'),
            (UNSEEN, ResultCode.INVALID_DEPTH, 'stands where nothing was seen')), start=1):
        policy.show(told, stamp * SECOND)
        graph.wait(lambda: policy.result(policy.ask())[1].error_code != ResultCode.TF_ERROR,
                   'transform')
        status, result = policy.result(policy.ask())
        assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, code), result.error_msg
        assert text in result.error_msg and not (result.picks.poses or result.places.poses)
        assert graph.wait_report(f'{code.name.lower()}: ').level == b'\x01'
    policy.show(depth=np.full((EDGE, EDGE), 40., np.float32), stamp=9 * SECOND)
    assert policy.result(policy.ask())[1].error_code == ResultCode.INVALID_DEPTH
    for timeout, count in ((-1., 0), (float('nan'), 0), (float('inf'), 0), (0., -1), (0., 101)):
        assert policy.result(policy.ask(timeout, count))[1].error_code == ResultCode.INVALID_GOAL
    values = graph.settled()
    assert values['published'] == '0' and values['dropped.invalid_goal'] == '5'
    assert not any(policy.heard.values()) and graph.balance() == 0


def test_images_that_lie_are_dropped_and_named(policy: PolicyGraph) -> None:
    graph = policy.graph
    policy.start()
    policy.mount()
    depth, color = table()
    for stamp, (reason, text, change) in enumerate((
            ('bad_image', 'no pixel of the depth image', {'depth': np.zeros_like(depth)}),
            ('bad_image', "'8UC1'", {'depth': np.ones((EDGE, EDGE), np.uint8),
                                     'encoding': '8UC1'}),
            ('bad_image', 'black', {'color': np.zeros_like(color)}),
            ('bad_image', 'camera_info is of 96 x 96', {'depth': depth[:90],
                                                        'color': color[:90]}),
            ('frame', 'no frame_id', {'frame_id': ''})), start=1):
        policy.show(stamp=stamp * SECOND, **change)
        before = graph.count(f'dropped.{reason}')

        def dropped(reason: str = reason, before: int = before) -> bool:
            result = policy.result(policy.ask())[1]
            graph.settled()
            return result.error_code == ResultCode.UNKNOWN and graph.count(
                f'dropped.{reason}') > before
        graph.wait(dropped, reason)
        assert graph.wait_report(text).level == b'\x02'
    policy.show(stamp=9 * SECOND)
    assert policy.result(policy.ask())[1].error_code == ResultCode.NONE
    graph.settled()
    assert graph.balance() == 0


def test_every_look_is_planned_on_if_told_so_and_those_without_partners_are_counted(
        policy: PolicyGraph) -> None:
    graph = policy.graph
    policy.start('continuous:=true')
    policy.mount()

    def answered() -> bool:
        policy.show(stamp=2 * SECOND)
        return graph.settled()['published'] != '0'
    graph.wait(answered, 'first answer')
    policy.show(SLOW, 3 * SECOND)
    policy.show(SLOW, 4 * SECOND)
    policy.show(GOOD, 5 * SECOND)
    graph.wait(lambda: policy.heard['output/pick'][-1].header.stamp.sec == 5, 'the newest')
    values = graph.settled()
    assert int(values.get('dropped.busy', 0)) <= 1 and graph.balance() == 0
    stamp = 20

    def counted() -> bool:          # depth alone, of which the last ones wait for partners
        nonlocal stamp
        stamp += 1
        policy.inputs['depth'].publish(messages.Image(
            header=messages.header('camera_optical', stamp * SECOND)))
        time.sleep(.02)
        return graph.count('dropped.unpaired') >= 2
    graph.wait(counted, 'unpaired')
    assert graph.wait_report('depth images without colour and camera_info').level == b'\x01'
    assert graph.set_parameter('continuous', False).successful
    published = graph.count('published')
    policy.show(GOOD, 40 * stamp * SECOND)
    values = graph.settled()
    assert int(values['published']) == published and graph.balance() == 0
    # Those that still waited are older than the whole look
    assert int(values['dropped.unpaired']) > 10


def test_without_generated_messages_every_look_can_be_planned_on(policy: PolicyGraph) -> None:
    graph = policy.graph
    graph.environment[WITHOUT_OURS] = '1'
    policy.start('continuous:=true')
    policy.mount()
    assert 'eq_msgs is not installed: no action to plan' in graph.log()
    stamp = 1

    def answered() -> bool:
        nonlocal stamp
        stamp += 1
        policy.show(stamp=stamp * SECOND)
        return bool(policy.heard['output/picks'])
    graph.wait(answered, 'poses')
    assert len(policy.heard['output/picks'][0].poses) == 2
    assert not policy.client.server_is_ready()
    graph.settled()
    assert graph.balance() == 0


def test_a_look_grows_old_planning_takes_too_long_and_nobody_may_want_it(
        policy: PolicyGraph) -> None:
    graph = policy.graph
    policy.start('max_age:=5.0', 'use_sim_time:=true')
    graph.wait(lambda: graph.clock.get_subscription_count() > 0, 'clock')

    def at(seconds: int) -> None:
        graph.clock.publish(Clock(clock=messages.Time(sec=seconds)))
    at(100)
    graph.wait(lambda: 'time jumped by +100' in graph.log(), 'time')
    policy.mount()
    policy.show(stamp=100 * SECOND)
    graph.wait(lambda: policy.result(policy.ask())[1].error_code == ResultCode.NONE, 'answer')
    for stamp in (94, 106):
        policy.show(stamp=stamp * SECOND)
        result = policy.result(policy.ask(.1))[1]
        assert result.error_code == ResultCode.STALE_IMAGE
        assert 'expected at most 5 s' in result.error_msg
    waiting = policy.ask()                      # until there is something fresh
    policy.show(stamp=101 * SECOND)
    assert policy.result(waiting)[1].pick.header.stamp.sec == 101
    policy.show(SLOW, 102 * SECOND)
    status, result = policy.result(policy.ask(.5))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, ResultCode.TIMEOUT)
    unwanted = policy.ask()
    graph.wait(unwanted.cancel_goal_async().done, 'cancel response')
    assert policy.result(unwanted)[0] == GoalStatus.STATUS_CANCELED
    at(50)                                      # a bag that begins again
    graph.wait(lambda: graph.values['view'] == 'none', 'forgotten')
    assert policy.result(policy.ask(.1))[1].error_code == ResultCode.NO_IMAGE
    values = graph.settled()
    assert (values['dropped.timeout'], values['dropped.cancelled']) == ('1', '1')
    assert graph.balance() == 0


def test_a_policy_that_fails_publishes_nothing_and_the_node_gives_up(
        policy: PolicyGraph) -> None:
    graph = policy.graph
    policy.start()
    policy.mount()
    policy.show(NONSENSE)
    graph.wait(lambda: policy.result(policy.ask())[1].error_code == ResultCode.UNKNOWN, 'nonsense')
    assert graph.wait_report('bad_output: pick must be finite').level == b'\x02'
    policy.show(GOOD, 2 * SECOND)
    assert policy.result(policy.ask())[1].error_code == ResultCode.NONE
    policy.show(RAISE, 3 * SECOND)
    for _ in range(10):
        assert 'told to raise' in policy.result(policy.ask())[1].error_msg
    graph.wait(lambda: graph.values['state'] == 'inactive', 'gave up')
    assert graph.count('dropped.internal') == 10 and graph.balance() == 0
    assert not policy.ask().accepted
    assert graph.change_state(ACTIVATE)
    policy.mount()
    graph.wait(lambda: policy.inputs['depth'].get_subscription_count() > 0, 'listens again')
    graph.state()
    policy.show(GOOD, 4 * SECOND)
    graph.wait(lambda: policy.result(policy.ask())[1].error_code == ResultCode.NONE, 'comes back')


def test_a_replay_shows_asks_and_hears_the_node(policy: PolicyGraph, domain_id: int) -> None:
    from rclpy.serialization import serialize_message

    from eq_core.errors import EqError
    from eq_ros.pick_place_client import PickPlaceClient
    policy.start('use_sim_time:=true', 'max_age:=1.0')
    heard: list[str] = []
    with PickPlaceClient(NAME, lambda message: heard.append(message.topic), domain_id) as client:
        client.wait_until_active(60., lambda: None)
        assert client.ask(60., timeout=.1).error_code == ResultCode.NO_IMAGE
        stamp = 3 * SECOND
        client.play('tf_static', serialize_message(mounted()), stamp)
        for key, message in look(stamp=stamp).items():
            client.play(key, serialize_message(message), stamp)
        client.play('points', b'', stamp)       # the node does not listen to them
        assert client.wait(lambda: client.has_seen(stamp), 60.)
        assert client.ask(60., count=1).picks.header.stamp.sec == 3
        assert client.wait(lambda: client.balance.published == 1, 60.) and client.balance.balanced
        assert client.wait(lambda: f'{NAME}/output/places' in heard, 60.)
        assert policy.graph.change_state(DEACTIVATE)
        with pytest.raises(EqError, match='takes no goals'):
            client.ask(60.)


def test_policies_and_parameters_that_make_no_sense_fail_to_configure(
        policy: PolicyGraph, bundle: Path, tmp_path: Path) -> None:
    graph = policy.graph
    process = graph.start('-p', 'autostart:=false', '-p', 'count:=0', script=REAL, name=NAME)
    altered, pickled = tmp_path / 'altered', tmp_path / 'pickled'
    for copy in (altered, pickled):
        shutil.copytree(bundle, copy)
    graph_file = altered / 'crop' / 'model.onnx'
    graph_file.write_bytes(graph_file.read_bytes()[:-9])
    (pickled / 'scene' / 'model.safetensors').write_bytes(pickle.dumps({'weight': [1.]}))
    assert not graph.change_state(CONFIGURE) and "'count' must be within [1, 100]" in graph.log()
    assert graph.set_parameter('count', 5).successful
    for path, text in (('', "'model_path' must name"), (tmp_path / 'absent', 'absent'),
                       (altered, str(altered)), (pickled, 'pickle'),
                       (bundle, 'spans 0.5 x 1 x 0.28 m, the policy covers 0.4 x 0.4 x 0.3 m')):
        assert graph.set_parameter('model_path', str(path)).successful
        assert not graph.change_state(CONFIGURE), path
        assert text in graph.log().splitlines()[-1], graph.log()
    for name, value, text in (('input', 'video', 'rgbd, points'),
                              ('score_threshold', 2., 'out of range'),
                              ('workspace_lower', [0., 0.], 'must be x, y, z'),
                              ('workspace_upper', [0., 0., float('nan')], 'nan'),
                              ('workspace_frame', '', 'must name a frame')):
        refused = graph.set_parameter(name, value)
        assert not refused.successful and text in refused.reason
    assert 'Traceback' not in graph.log() and process.poll() is None
    assert graph.set_parameter('workspace_lower', list(LOWER)).successful
    assert graph.set_parameter('workspace_upper', list(UPPER)).successful
    assert graph.change_state(CONFIGURE) and graph.state() == 'inactive'
    refused = graph.set_parameter('workspace_frame', 'map')
    assert not refused.successful and 'unconfigured' in refused.reason


def test_the_live_answer_to_a_cloud_is_that_of_the_policy(
        policy: PolicyGraph, bundle: Path) -> None:
    graph = policy.graph
    policy.start(f'model_path:={bundle}', 'input:=points', 'score_threshold:=0.0', script=REAL,
                 points=True)
    policy.mount()
    message = policy.show_points()
    graph.wait(lambda: policy.result(policy.ask())[1].error_code != ResultCode.TF_ERROR,
               'transform')
    result = policy.result(policy.ask())[1]
    offline = PlanarPolicy.from_bundle(bundle)
    seen = TableView((message,)).heightmap(camera_pose(), CONFIG.workspace(LOWER), 'base_link')
    expected = offline.plan(seen)
    offline.close()
    assert result.error_code == ResultCode.NONE, result.error_msg
    np.testing.assert_allclose(place_of(result.pick.pose), expected.pick[0, :3, 3], atol=1e-9)
    np.testing.assert_allclose(place_of(result.place.pose), expected.place[0, :3, 3], atol=1e-9)
    np.testing.assert_allclose(result.place_scores[0], expected.place_score[0], rtol=1e-6)
    graph.settled()
    assert graph.balance() == 0
