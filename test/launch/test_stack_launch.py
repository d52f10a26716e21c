"""The whole stack with the real ROS launch: killed node by node, and beside another stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import sys

import pytest

pytest.importorskip('launch_ros', reason='needs ROS launch, which is in no package registry')

from graph import environment
from stack_scenarios import check_killed_node_comes_back
from stack_scenarios import check_nothing_reached_the_second
from stack_scenarios import two_stacks
from stack_scenarios import TwoStacks

from eq_eval.replay.environment import free_domain_id
from eq_eval.stack_process import eager_policy
from eq_eval.stack_process import StackProcess
from eq_ros.node_kinds import NodeKind
from eq_ros.node_kinds import STACK


@pytest.fixture(scope='module')
def stacks(installed: None, tmp_path_factory: pytest.TempPathFactory, repository: Path
           ) -> Iterator[TwoStacks]:
    """Two stacks, the first of which is played to."""
    folder, domain_id = tmp_path_factory.mktemp('stacks'), free_domain_id()
    command = [sys.executable, str(Path(__file__).with_name('run_launch_file.py')),
               str(repository / 'launch' / 'stack.launch.py'), 'policy_input:=points',
               'policy_continuous:=true', f'policy_params_file:={eager_policy(folder)}']
    first, second = (StackProcess(
        [*command, f'namespace:={name}'], folder / f'{name}.log', domain_id, name,
        environment(domain_id)) for name in ('first', 'second'))
    with two_stacks(first, second, folder) as both:
        yield both
    assert first.stop() == second.stop() == 0
    for stack in (first, second):
        assert 'Traceback' not in stack.log_path.read_text()


def test_what_is_played_to_one_stack_does_not_reach_another(stacks: TwoStacks) -> None:
    check_nothing_reached_the_second(stacks)


@pytest.mark.parametrize('kind', STACK, ids=lambda kind: kind.name)
def test_a_node_that_is_killed_comes_back_and_says_nothing_stale(
        stacks: TwoStacks, kind: NodeKind) -> None:
    check_killed_node_comes_back(stacks, kind)
