"""Learns the costs of a planner and opens them as a robot would: by the exported bundle."""

from __future__ import annotations

from pathlib import Path
import tempfile

import numpy as np
from numpy.typing import NDArray
import torch

from eq_eval.training.export import export_planner
from eq_eval.training.planner import Demonstration
from eq_eval.training.planner import DemonstrationStream
from eq_eval.training.planner import train_planner
from eq_eval.training.recipe import PlannerRecipe
from eq_navigation.costs import LearnedCosts
from eq_navigation.graph import GeometricGraph
from eq_navigation.model import PlainEdgeCost
from eq_navigation.planner import Costs


def learn(recipe: PlannerRecipe, shown: list[Demonstration]) -> tuple[LearnedCosts, float]:
    """Trains on demonstrations; returns the costs and the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        stream = DemonstrationStream(shown, recipe, recipe.sharpness)
        run = train_planner(recipe, stream, Path(folder))
        bundle = export_planner(run.exported(), recipe.planner, Path(folder) / 'bundle',
                                recipe.task, {'seed': recipe.seed}, '')
        return LearnedCosts.from_bundle(bundle.path), run.seconds


def learn_plain(recipe: PlannerRecipe, shown: list[Demonstration]) -> Costs:
    """Trains the plain twin on demonstrations, to compare with."""
    stream = DemonstrationStream(shown, recipe, recipe.sharpness)
    with tempfile.TemporaryDirectory() as folder:
        model = train_planner(recipe, stream, Path(folder), network=PlainEdgeCost).exported()

    @torch.no_grad()
    def costs(graph: GeometricGraph) -> NDArray[np.float64]:
        cost = model.edges(torch.from_numpy(graph.feature), torch.from_numpy(graph.neighbor),
                           torch.from_numpy(graph.offset()).float())
        return np.where(graph.mask, cost.double().numpy(), 0.)
    return costs
