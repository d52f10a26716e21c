"""The SROS2 policies allow what the running nodes use, and nothing else."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
import time
from xml.etree import ElementTree

import pytest

from eq_eval.cli.up import process_arguments
from eq_eval.replay.environment import graph_environment
from eq_eval.replay.node_process import NodeProcess
from eq_ros.node_kinds import COSTMAP
from eq_ros.node_kinds import FOLLOWER
from eq_ros.node_kinds import NodeKind
from eq_ros.node_kinds import STACK
from eq_ros.node_kinds import values_of
from eq_ros.transport import shared_file

PATIENCE = 120.     # [s]; nothing is measured with it
# What nodes use only when their parameters say so
CHOSEN = {'/clock', '/tf', '/tf_static', '/panoptic_segmenter/input/odometry',
          '/semantic_costmap/input/odometry', '/pick_place_policy/input/points'}
ACTION = {'publish': ('feedback', 'status'), 'reply': ('cancel_goal', 'get_result', 'send_goal')}

Allowed = dict[str, set[str]]


def allowed(repository: Path, node: str) -> Allowed:
    """Full names by what may be done with them."""
    root = ElementTree.parse(repository / 'config' / 'sros2' / f'{node}.policy.xml').getroot()
    assert root.attrib == {'version': '0.2.0'}
    profile = root.find('enclaves/enclave/profiles/profile')
    assert profile is not None and profile.attrib == {'ns': '/', 'node': node}
    found: Allowed = {'publish': set(), 'subscribe': set(), 'reply': set()}
    for group in profile:
        (verb, rule), = group.attrib.items()
        assert rule == 'ALLOW'
        for item in group:
            name = f'/{(item.text or "").replace("~", node)}'
            if verb == 'execute':
                for end, parts in ACTION.items():
                    found[end] |= {f'{name}/_action/{part}' for part in parts}
            else:
                found[verb].add(name)
    return found


def used(kinds: tuple[NodeKind, ...], domain_id: int, folder: Path) -> dict[str, Allowed]:
    """What running nodes have opened."""
    from rclpy.context import Context
    from rclpy.node import Node

    from eq_ros.bring_up import await_active
    environment = graph_environment(domain_id, folder)
    with ExitStack() as stack:
        for kind in kinds:
            given = {'model': str(shared_file(f'{kind.example}/scene/manifest.json').parents[1])
                     } if kind.example else {}
            stack.enter_context(NodeProcess(
                kind.module, process_arguments(kind, values_of([kind], kind, given)),
                folder / f'{kind.name}.log', environment))
        names = [f'/{kind.name}' for kind in kinds]
        assert set(await_active(names, PATIENCE, lambda: None, domain_id)) == set(names)
        context = Context()
        context.init(args=[], domain_id=domain_id)
        probe = Node('probe', context=context)
        asked = {'publish': probe.get_publisher_names_and_types_by_node,
                 'subscribe': probe.get_subscriber_names_and_types_by_node,
                 'reply': probe.get_service_names_and_types_by_node}

        def look() -> dict[str, Allowed]:
            known = set(probe.get_node_names())
            return {kind.name: {verb: {name for name, _ in ask(kind.name, '/')}
                                for verb, ask in asked.items()}
                    for kind in kinds if kind.name in known}
        before, now, deadline = {}, look(), time.monotonic() + PATIENCE
        # Ends are discovered one after the other; they are all there when nothing is added.
        while (len(now) < len(kinds) or now != before) and time.monotonic() < deadline:
            time.sleep(2.)
            before, now = now, look()
        probe.destroy_node()
        context.try_shutdown()
        return now


def test_policies_allow_what_running_nodes_use_and_nothing_else(
        repository: Path, domain_id: int, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('rclpy', reason='needs ROS 2')
    from eq_ros.transport import configure_transport
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    configure_transport()
    found = used((*STACK, COSTMAP, FOLLOWER), domain_id, tmp_path)
    for kind in (*STACK, COSTMAP, FOLLOWER):
        policy = allowed(repository, kind.name)
        for verb, names in found[kind.name].items():
            assert names - policy[verb] == set(), (kind.name, verb)
            assert policy[verb] - names - CHOSEN == set(), (kind.name, verb)
