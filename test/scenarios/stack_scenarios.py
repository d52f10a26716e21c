"""What is done to a live stack and must hold, however it was started."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
import time

from eq_eval.latency import ring_cloud
from eq_eval.replay.environment import applied
from eq_eval.replay.environment import graph_environment
from eq_eval.stack_load import StackLoad
from eq_eval.stack_process import PATIENCE
from eq_eval.stack_process import StackProcess
from eq_ros.balance import Balance
from eq_ros.node_kinds import NodeKind
from eq_ros.node_kinds import STACK

RATE, POINTS = 4., 6000     # clouds a second, points of each: little, for slow machines


@dataclass(frozen=True)
class TwoStacks:
    """Two stacks in one domain; only the first is played to."""

    first: StackProcess
    second: StackProcess
    load: StackLoad
    ear: StackLoad      # hears the second, plays nothing


@contextmanager
def two_stacks(first: StackProcess, second: StackProcess, folder: Path) -> Iterator[TwoStacks]:
    """Waits until all nodes are active and plays to the first stack."""
    from eq_ros.stack_client import StackClient

    domain_id = first.domain_id
    with ExitStack() as ends:
        ends.enter_context(applied(graph_environment(domain_id, folder / 'ros')))
        for stack in (first, second):
            ends.enter_context(stack)
        for stack in (first, second):
            stack.await_active()
        clouds = [ring_cloud(POINTS, seed) for seed in range(3)]
        load, ear = (ends.enter_context(StackLoad(lambda sink, stack=stack: StackClient(
            sink, domain_id, stack.namespace), clouds, RATE)) for stack in (first, second))
        load.start(PATIENCE)
        yield TwoStacks(first, second, load, ear)


def check_killed_node_comes_back(stacks: TwoStacks, kind: NodeKind) -> None:
    """Kills a node under load; it comes back, says nothing stale, and nobody else is moved."""
    stack, load = stacks.first, stacks.load
    others = [each for each in STACK if each != kind]
    await_answers(load, STACK)
    pids, elsewhere = stack.pids(), stacks.second.pids()
    received = {each: balance.received for each, balance in balances(load).items()}

    born, _ = stack.kill(kind)

    await_answers(load, STACK)
    assert min(load.answered(kind, since=born)) >= born     # nothing from before is answered
    assert pids.keys() == stack.pids().keys() == set(STACK)
    assert [each for each in STACK if stack.pids()[each] != pids[each]] == [kind]
    assert stacks.second.pids() == elsewhere
    for each in STACK:
        answered = load.answered(each)
        assert len(set(answered)) == len(answered), f'{each.name} has answered twice'
        assert set(answered) <= set(load.sent[each]), f'{each.name} answers what nobody sent'
    now = balances(load)
    assert all(balance.balanced for balance in now.values())
    assert all(now[each].received > received[each] for each in others)
    assert 0 < now[kind].received <= sum(    # its books begin anew
        stamp >= born for stamp in list(load.sent[kind]))


def check_nothing_reached_the_second(stacks: TwoStacks) -> None:
    """What is played to one stack is answered in its namespace and nowhere else."""
    await_answers(stacks.load, STACK)
    for here in balances(stacks.load).values():
        assert here.received > 0 and here.balanced
    for there in balances(stacks.ear).values():
        assert (there.received, there.published, there.dropped) == (0, 0, {})
        assert there.details['state'] == 'active'
    assert set(stacks.load.answers) == set(stacks.first.names.values())
    assert not stacks.ear.answers
    assert stacks.second.pids().keys() == set(STACK)


def await_answers(load: StackLoad, kinds: Sequence[NodeKind]) -> None:
    """Waits until each of some nodes has answered something new."""
    now = time.time_ns()
    for kind in kinds:
        assert load.client.wait(lambda kind=kind: load.answered(kind, since=now), PATIENCE), (
            f'{kind.name} answers nothing')


def balances(load: StackLoad) -> dict[NodeKind, Balance]:
    """What the nodes say of their inputs from now on."""
    now = time.monotonic_ns()
    heard = {}
    for kind in STACK:
        assert load.client.wait(lambda kind=kind: load.client.balance(kind, since=now), PATIENCE
                                ), f'{kind.name} says nothing'
        heard[kind] = load.client.balance(kind) or Balance()
    return heard
