"""The nodes open exactly the topics and actions that are declared, and the documents tell them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import dataclasses
from importlib import import_module
from pathlib import Path
import re
import runpy
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

pytest.importorskip('rclpy', reason='needs ROS 2')
from rclpy.context import Context
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy
from rclpy.qos import ReliabilityPolicy

from eq_ros.node_interfaces import INTERFACES
from eq_ros.node_interfaces import Quality
from eq_ros.node_interfaces import Topic
from eq_ros.node_kinds import COSTMAP
from eq_ros.node_kinds import FOLLOWER
from eq_ros.node_kinds import NodeKind
from eq_ros.node_kinds import STACK

KINDS = (*STACK, COSTMAP, FOLLOWER)
OF_EVERY_NODE = {'/rosout', '/parameter_events'}
SECTIONS = ('Purpose', 'Inner-workings / Algorithms', 'Inputs / Outputs', 'Parameters',
            'Assumptions / Known limits', 'Error detection and handling',
            'Performance characterization', 'References')
# Settings under which a node opens all that it can open at one time
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    'panoptic_segmenter': ({'odometry_source': 'topic'},),
    'semantic_costmap': ({'odometry_source': 'topic'},),
    'pick_place_policy': ({}, {'input': 'points'})}
each_kind = pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.name)

Ends = dict[str, set[tuple[str, str, Quality]]]


class Anything:
    """A model of which nobody asks anything but its names."""

    class_names = ('car',)
    notes: tuple[str, ...] = ()
    config = SimpleNamespace(
        class_names=('car',), detector=SimpleNamespace(score_threshold=0.),
        workspace_between=lambda lower, upper: None)

    def close(self) -> None:
        """Nothing is open."""


def quality(profile: Any) -> Quality:
    """The same in our words."""
    return Quality(profile.depth, profile.reliability == ReliabilityPolicy.RELIABLE,
                   profile.durability == DurabilityPolicy.TRANSIENT_LOCAL)


@contextmanager
def configured(kind: NodeKind, settings: dict[str, Any], domain_id: int
               ) -> Iterator[tuple[Any, Ends]]:
    """An active node around a model that is none, and what it has opened."""
    found: Ends = {'in': set(), 'out': set()}
    module, context = import_module(kind.module), Context()
    base = next(value for name, value in vars(module).items() if name.endswith('Node')
                and getattr(value, '__module__', '') == kind.module)

    def note(end: str, message: Any, topic: str, profile: Any) -> None:
        if not isinstance(profile, int):    # what rclpy itself opens in every node
            package, name = message.__module__.split('.')[0], message.__name__
            found[end].add((topic, f'{package}/{name}', quality(profile)))

    class Noted(base):
        """Notes what is opened."""

        def create_publisher(self, message: Any, topic: str, profile: Any, **more: Any) -> Any:
            note('out', message, topic, profile)
            return super().create_publisher(message, topic, profile, **more)

        def create_lifecycle_publisher(self, message: Any, topic: str, profile: Any, **more: Any
                                       ) -> Any:
            note('out', message, topic, profile)
            return super().create_lifecycle_publisher(message, topic, profile, **more)

        def create_subscription(self, message: Any, topic: str, callback: Any, profile: Any,
                                **more: Any) -> Any:
            note('in', message, topic, profile)
            return super().create_subscription(message, topic, callback, profile, **more)

    context.init(args=[], domain_id=domain_id)
    values = {'use_sim_time': True, 'autostart': False, **settings}
    node = Noted(*([lambda parameters: Anything()] if kind in STACK else []), context=context,
                 parameter_overrides=[Parameter(name, value=value)
                                      for name, value in values.items()])
    try:
        node.trigger_configure()
        node.trigger_activate()
        yield node, found
    finally:
        node.close()
        node.destroy_node()
        context.try_shutdown()


def declared(topics: tuple[Topic, ...]) -> set[tuple[str, str, Quality]]:
    """What is compared."""
    return {(topic.name, topic.kind, topic.quality) for topic in topics}


@each_kind
def test_the_node_opens_what_is_declared_and_nothing_else(
        kind: NodeKind, domain_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    interface, found, actions = INTERFACES[kind.name], {'in': set(), 'out': set()}, set()
    for settings in SETTINGS.get(kind.name, ({},)):
        with configured(kind, settings, domain_id) as (node, ends):
            for end, opened in ends.items():
                found[end] |= {each for each in opened if each[0] not in OF_EVERY_NODE
                               and not each[0].endswith('transition_event')}
            servers = {name for name, _ in node.get_service_names_and_types_by_node(
                node.get_name(), '/') if name.endswith('/_action/send_goal')}
            actions |= {name.removesuffix('/_action/send_goal') for name in servers}
    assert found['in'] == declared(interface.inputs)
    assert found['out'] == declared(interface.outputs)
    assert actions == {f'/{action.name}'.replace('~', kind.name) for action in interface.actions}


@each_kind
def test_the_document_is_of_the_form_and_its_tables_are_those_of_the_declarations(
        repository: Path, kind: NodeKind) -> None:
    """If not, `python docs/node_tables.py` rewrites them."""
    text = (repository / 'docs' / f'{kind.name}.md').read_text(encoding='utf-8')
    tables = runpy.run_path(str(repository / 'docs' / 'node_tables.py'))
    assert tables['with_tables'](text, kind) == text
    assert tuple(re.findall(r'^## (.+)$', text, re.M)) == SECTIONS


@each_kind
def test_the_comments_of_the_parameter_file_tell_types_ranges_and_who_is_live(
        repository: Path, kind: NodeKind) -> None:
    text = (repository / 'config' / f'{kind.name}.param.yaml').read_text()
    names = yaml.safe_load(text)['/**']['ros__parameters']
    head = next(line for line in text.splitlines() if line.startswith('# Name '))
    at = [head.index(word) for word in ('Type', 'Range', 'Live', 'Meaning')]
    rows = {line.split()[1]: [line[begin:end].strip() for begin, end in zip(at, at[1:])]
            for line in text.splitlines() if line.startswith('# ') and len(line.split()) > 2
            and line.split()[1] in names and len(line) > at[0]}
    types = runpy.run_path(str(repository / 'docs' / 'node_tables.py'))['TYPES']
    for field in dataclasses.fields(import_module(kind.module).Parameters):
        rule = field.metadata['rule']
        kind_, range_, live = rows[field.name]
        assert (kind_, live) == (types[str(field.type)], 'yes' if rule.live else 'no'), field.name
        if rule.minimum is not None:
            assert tuple(map(float, range_.split(' .. '))) == (rule.minimum, rule.maximum)


def test_every_node_is_declared() -> None:
    assert set(INTERFACES) == {kind.name for kind in KINDS}
