"""Our copies of standard message definitions are the standard ones, to the last field.

The expected type hashes (RIHS01, REP-2016) were not computed here. They were read in public
repositories that hold what the upstream packages produced: C sources that rosidl generated from
the released map_msgs, vision_msgs and tf2_msgs, hashes captured from a Jazzy installation, and
the output of `ros2 topic info --verbose`. A hash covers the types nested in a message, so these
cover every definition but `BoundingBox2DArray` and `BoundingBox3DArray`, for which none was found.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import re
import sys

import pytest

from eq_manipulation.outcome import ResultCode

PUBLISHED = {
    'map_msgs/msg/OccupancyGridUpdate':
        'RIHS01_c4095b0be2e4363f8978a1570e0293ee093436f1e1c61d99b48502ac317025e8',
    'tf2_msgs/msg/TFMessage':
        'RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087',
    'tf2_msgs/msg/TF2Error':
        'RIHS01_db2485e7d6a0ec75bf087e058ee45df682acc3a621ca7780503d10aac141809a',
    'tf2_msgs/action/LookupTransform':
        'RIHS01_0b8adf6bc0b5958879e3265b41a457e03558fe523890a81252c70eba97a82c5d',
    'vision_msgs/msg/Classification':
        'RIHS01_f74db28d0eaef3afb78f48bf2161cd709a1383a0309d3454383b25be11345143',
    'vision_msgs/msg/Detection2DArray':
        'RIHS01_214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968',
    'vision_msgs/msg/Detection3D':
        'RIHS01_ddd703be132ab0b69d33121f1bb034132bfbb3b0ac5f9fb1516005ba1c8a265b',
    'vision_msgs/msg/Detection3DArray':
        'RIHS01_793f5eab9595ac1c0da07873cc859db42eae51f0ee76056db8562515d830e018',
    'vision_msgs/msg/LabelInfo':
        'RIHS01_3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783',
    'vision_msgs/msg/VisionInfo':
        'RIHS01_95d3116a17484ad91c9a2686e1d54890bbfc3ff6c6a2de137738c4950d45d284',
}
MESSAGES = sorted(name for name in PUBLISHED if '/msg/' in name)
# Ours, for clients that were built against it: whoever changes it has to say so here
OURS = {
    'eq_msgs/action/PlanPickPlace':
        'RIHS01_9ed192aff528f567e3c42c5c6034f48c100a8d8731f0aae716872a8d890b88f1',
    'eq_msgs/action/PlanPickPlace_Goal':
        'RIHS01_f23adfed461dc9ec64324493ca6bbdb3c4ca133f68e16eef4d5151027d1f384b',
    'eq_msgs/action/PlanPickPlace_Result':
        'RIHS01_64c6cefd14a915475c865d5055b2f983f69b81e8e6b2eacb727729c4161a0016',
    'eq_msgs/action/PlanPickPlace_Feedback':
        'RIHS01_ebb791fe5ca6221659a362cd807c0771d7d1b3137d8746f93b3a05f5c56ee27c',
}


@pytest.fixture(scope='module')
def typestore(repository: Path) -> object:
    """Types of ROS 2 with our definitions on top, hashed by rosbags and not by rosidl."""
    typesys = pytest.importorskip('rosbags.typesys')
    store = typesys.get_typestore(typesys.Stores.EMPTY)
    standard = typesys.get_typestore(typesys.Stores.ROS2_KILTED)
    foreign = {name: definition for name, definition in standard.fielddefs.items()
               if not name.startswith(('map_msgs', 'tf2_msgs', 'vision_msgs'))}
    ours: dict[str, object] = {}
    for package in ('map_msgs', 'tf2_msgs', 'vision_msgs', 'eq_msgs'):
        for path in sorted((repository / 'interfaces' / package / 'msg').glob('*.msg')):
            ours |= typesys.get_types_from_msg(path.read_text(encoding='utf-8'),
                                               f'{package}/msg/{path.stem}')
    action = repository / 'interfaces/eq_msgs/action/PlanPickPlace.action'
    for part, text in zip(('Goal', 'Result', 'Feedback'),
                          action.read_text(encoding='utf-8').split('---\n'), strict=True):
        name = f'eq_msgs/msg/PlanPickPlace_{part}'
        ours[name.replace('/msg/', '/action/')] = typesys.get_types_from_msg(text, name)[name]
    store.register(foreign | ours)
    return store


@pytest.mark.parametrize('name', [*MESSAGES, *list(OURS)[1:]])
def test_definition_has_the_published_hash(typestore: object, name: str) -> None:
    assert typestore.hash_rihs01(name) == {**PUBLISHED, **OURS}[name]


@pytest.mark.parametrize('name', [*sorted(PUBLISHED), next(iter(OURS))])
def test_installed_package_has_the_published_hash(name: str) -> None:
    package, kind, interface = name.split('/')
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(':'), sys.prefix]
    paths = [Path(prefix) / 'share' / package / kind / f'{interface}.json' for prefix in prefixes]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        pytest.skip(f'{package} is not installed')
    description = json.loads(path.read_text(encoding='utf-8'))
    hashes = {item['type_name']: item['hash_string'] for item in description['type_hashes']}
    assert hashes[name] == {**PUBLISHED, **OURS}[name]


def test_codes_of_pick_and_place_are_those_of_the_action(repository: Path) -> None:
    text = (repository / 'interfaces/eq_msgs/action/PlanPickPlace.action').read_text()
    constants = re.findall(r'^uint16 ([A-Z_]+)=(\d+)$', text, re.MULTILINE)
    assert {name: int(value) for name, value in constants} == {
        code.name: code.value for code in ResultCode}


def test_standard_definitions_hold_names_types_and_constants_only(repository: Path) -> None:
    for path in (repository / 'interfaces').rglob('*'):
        if path.suffix in ('.msg', '.srv', '.action') and path.stem != 'PlanPickPlace':
            assert '#' not in path.read_text(encoding='utf-8'), path


def test_message_survives_the_wire() -> None:
    serialization = pytest.importorskip('rclpy.serialization')
    vision = pytest.importorskip('vision_msgs.msg')
    message = vision.Detection3DArray()
    message.header.frame_id = 'lidar'
    detection = vision.Detection3D(id='7')
    detection.bbox.size.x = 4.5
    hypothesis = vision.ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = 'car'
    hypothesis.hypothesis.score = 0.75
    hypothesis.pose.covariance[7] = 0.25
    detection.results.append(hypothesis)
    message.detections.append(detection)
    wire = serialization.serialize_message(message)
    assert serialization.deserialize_message(wire, vision.Detection3DArray) == message


def test_account_of_a_pipeline_survives_the_wire() -> None:
    serialization = pytest.importorskip('rclpy.serialization')
    messages = pytest.importorskip('eq_msgs.msg')
    status = messages.PipelineStatus(backend='onnxruntime', received=5, published=3, in_flight=1,
                                     drop_reasons=['busy'], drop_counts=[1])
    wire = serialization.serialize_message(status)
    assert serialization.deserialize_message(wire, messages.PipelineStatus) == status
