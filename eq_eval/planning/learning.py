"""Learns the costs of a planner and opens them as a robot would: by the exported bundle."""

from __future__ import annotations

from pathlib import Path
import tempfile

from eq_eval.training.export import export_planner
from eq_eval.training.planner import Demonstration
from eq_eval.training.planner import DemonstrationStream
from eq_eval.training.planner import train_planner
from eq_eval.training.recipe import PlannerRecipe
from eq_navigation.costs import LearnedCosts


def learn(recipe: PlannerRecipe, shown: list[Demonstration]) -> tuple[LearnedCosts, float]:
    """Trains on demonstrations; returns the costs and the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        stream = DemonstrationStream(shown, recipe, recipe.sharpness)
        run = train_planner(recipe, stream, Path(folder))
        bundle = export_planner(run.exported(), recipe.planner, Path(folder) / 'bundle',
                                recipe.task, {'seed': recipe.seed}, '')
        return LearnedCosts.from_bundle(bundle.path), run.seconds
