"""The live stack under kill -9, and beside another one in the same domain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vision_msgs')
pytest.importorskip('psutil')

from graph import environment
from stack_scenarios import check_killed_node_comes_back
from stack_scenarios import check_nothing_reached_the_second
from stack_scenarios import two_stacks
from stack_scenarios import TwoStacks

from eq_eval.replay.environment import free_domain_id
from eq_eval.stack_process import eager_policy
from eq_eval.stack_process import StackProcess
from eq_eval.stack_process import up_stack
from eq_ros.node_kinds import NodeKind
from eq_ros.node_kinds import STACK


@pytest.fixture(scope='module')
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoStacks]:
    """Two stacks, the first of which is played to."""
    folder, domain_id = tmp_path_factory.mktemp('stacks'), free_domain_id()
    variables = environment(domain_id)
    policy = eager_policy(folder)
    first, second = (StackProcess(up_stack(name, policy), folder / f'{name}.log', domain_id, name,
                                  variables) for name in ('first', 'second'))
    with two_stacks(first, second, folder) as both:
        yield both


def test_what_is_played_to_one_stack_does_not_reach_another(stacks: TwoStacks) -> None:
    check_nothing_reached_the_second(stacks)


@pytest.mark.parametrize('kind', STACK, ids=lambda kind: kind.name)
def test_a_node_that_is_killed_comes_back_and_says_nothing_stale(
        stacks: TwoStacks, kind: NodeKind) -> None:
    check_killed_node_comes_back(stacks, kind)


def test_two_stacks_are_apart_after_one_has_lost_its_nodes(stacks: TwoStacks) -> None:
    check_nothing_reached_the_second(stacks)
