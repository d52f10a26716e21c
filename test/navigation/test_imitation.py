"""What planners learn by: values, their gradients, and the loss."""

import numpy as np
import pytest
import torch

from eq_eval.planning.maze_tasks import demonstrations
from eq_eval.planning.mazes import make_mazes
from eq_eval.planning.terrain import scattered_terrain
from eq_eval.training.planner import DemonstrationStream
from eq_eval.training.planner import PlannerBatch
from eq_eval.training.recipe import PlannerRecipe
from eq_navigation.losses import imitation_loss
from eq_navigation.model import edge_cost
from eq_navigation.model import UNREACHED
from eq_navigation.model import value_iteration


def shown_mazes(count=4, edge=13):
    return PlannerBatch.of(demonstrations(make_mazes(count, edge, 2)))


def random_costs(batch, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch.mask.shape, generator=generator, dtype=dtype) + .1


def loss_of(batch, cost, sharpness=1.):
    going = value_iteration(cost, batch.neighbor, batch.mask, batch.goal)
    return imitation_loss(going, cost, batch.action, batch.weight.to(cost.dtype), sharpness)


def unrolled(cost, batch, iterations):
    """The recursion as it is written, with gradients through every step."""
    value = cost.new_full((len(cost),), UNREACHED)
    at_goal = torch.zeros(len(cost), dtype=torch.bool)
    at_goal[batch.goal] = True
    value[batch.goal] = 0
    for _ in range(iterations):
        going = torch.where(batch.mask, value[batch.neighbor] - cost, UNREACHED)
        value = torch.where(at_goal, 0., going.amax(1).clamp_min(UNREACHED))
    return torch.where(batch.mask, value[batch.neighbor] - cost, UNREACHED)


def test_values_and_gradients_are_those_of_the_recursion_written_out():
    batch = shown_mazes()
    cost, again = (random_costs(batch).requires_grad_() for _ in range(2))
    going = value_iteration(cost, batch.neighbor, batch.mask, batch.goal)
    written_out = unrolled(again, batch, 200)
    torch.testing.assert_close(going, written_out)
    weights = random_costs(batch) * batch.mask
    (going * weights).sum().backward()
    (written_out * weights).sum().backward()
    torch.testing.assert_close(cost.grad, again.grad)


def test_costs_that_vanish_beside_the_values_lead_in_no_circle():
    batch = shown_mazes()
    cost = torch.full(batch.mask.shape, 1e-12)
    cost[batch.mask.nonzero()[::7].unbind(1)] = 1e4
    going = value_iteration(cost, batch.neighbor, batch.mask, batch.goal)
    assert (going[batch.mask] > UNREACHED / 2).all() and (going[batch.mask] <= 0).all()


def test_the_loss_knows_no_unit_of_cost():
    batch = shown_mazes()
    cost = random_costs(batch)
    torch.testing.assert_close(loss_of(batch, 1e3 * cost), loss_of(batch, cost))
    torch.testing.assert_close(loss_of(batch, 1e-3 * cost, 5.), loss_of(batch, cost, 5.))


def test_the_gentle_loss_falls_all_the_way_as_walls_get_dearer():
    batch = shown_mazes(12)
    wall = batch.feature[:, 0] == 0
    losses = []
    for dearer in (.4, .7, .9, 1., 1.1, 1.5, 3., 10., 100.):
        rate = torch.where(wall, dearer, 1.)
        losses.append(float(loss_of(batch, edge_cost(
            rate[:, None], rate[batch.neighbor], batch.offset))))
    assert (np.diff(losses) < 1e-6).all() and losses[-1] < losses[3] - .1


def test_a_training_begins_gently_and_ends_sharp():
    recipe = PlannerRecipe(iterations=300, sharpness=50., batch_size=1)
    stream = DemonstrationStream(demonstrations(make_mazes(2, 7, 0)), recipe, recipe.sharpness)
    sharpness = [batch.sharpness for batch in stream.batches(0, 300)]
    assert sharpness[0] == sharpness[10] == 1 and sharpness[-1] == pytest.approx(50)
    assert (np.diff(sharpness) >= 0).all()


def test_graphs_of_any_width_are_learnt_from_together():
    rng = np.random.default_rng(4)
    shown = [scattered_terrain(60, rng).demonstrate(rng) for _ in range(3)]
    widths = {each.graph.mask.shape[1] for each in shown}
    assert len(widths) > 1
    together = PlannerBatch.of(shown)
    assert together.mask.shape[1] == max(widths)
    generator = torch.Generator().manual_seed(1)
    rate = torch.rand(len(together.feature), generator=generator) + .5
    cost = edge_cost(rate[:, None], rate[together.neighbor], together.offset)
    going = value_iteration(cost, together.neighbor, together.mask, together.goal)
    first = 0
    for each in shown:
        alone, rows = PlannerBatch.of([each]), slice(first, first + len(each.graph))
        part = edge_cost(rate[rows, None], rate[rows][alone.neighbor], alone.offset)
        expected = value_iteration(part, alone.neighbor, alone.mask, alone.goal)
        torch.testing.assert_close(going[rows, :part.shape[1]], expected)
        first = rows.stop
