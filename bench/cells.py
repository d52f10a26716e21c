"""Tables of sample efficiency: cells that are trained, scored and kept one by one.

A cell is one network: a variant, trained on a part of the scenes with one seed. Its row lies in
WORK/cells; one that is there is not made again, so that a repeated command continues.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
import json
from pathlib import Path
import sys
from typing import Any

from eq_eval.results import store
from eq_eval.training.loop import Training
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.scenes import make_scenes

Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One network of a table.

    Attributes:
        variant: Name of network and augmentation.
        fraction: Part of the training scenes.
        seed: Of weights and draws.
        work: Folder of the table.
    """

    variant: str
    fraction: float
    seed: int
    work: Path

    @property
    def key(self) -> str:
        """What people call it."""
        return f'{self.variant}, {self.fraction:.0%} of scenes, seed {self.seed}'

    @property
    def path(self) -> Path:
        """File of its row."""
        stem = self.key.replace(' ', '_').replace('%', '').replace(',', '')
        return self.work / 'cells' / f'{stem}.json'

    @property
    def folder(self) -> Path:
        """Where it is trained."""
        return self.work / self.path.stem

    def row(self, run: Training, train: ScanStore) -> Row:
        """Begins the row: what was trained, how long, and how far it came."""
        log = (self.folder / 'log.jsonl').read_text().splitlines()
        first, last = (float(json.loads(line)['total']) for line in (log[0], log[-1]))
        return {'variant': self.variant, 'fraction': self.fraction, 'seed': self.seed,
                'scenes': len(train.subset(self.fraction)), 'iterations': run.step,
                'train_seconds': run.seconds,
                'weights': sum(each.numel() for each in run.model.parameters()),
                'first_loss': first, 'last_loss': last}


def parser(description: str, work: str, scenes: str, num_scenes: int, variants: Iterable[str]
           ) -> argparse.ArgumentParser:
    """The options that all tables have."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument('--work', type=Path, default=Path(work))
    made.add_argument('--scenes', type=Path, default=Path(scenes))
    made.add_argument('--num-scenes', type=int, default=num_scenes)
    made.add_argument('--fractions', type=float, nargs='+', default=[.05, .25, 1.])
    made.add_argument('--variants', nargs='+', default=list(variants))
    made.add_argument('--seeds', type=int, nargs='+', default=[0])
    made.add_argument('--threads', type=int, default=1)
    return made


def training_scenes(options: argparse.Namespace) -> ScanStore:
    """Opens the training scenes and simulates those that are missing."""
    for _ in make_scenes(options.scenes, options.num_scenes, 0):
        pass
    return ScanStore.open(options.scenes).first(options.num_scenes)


def fill(name: str, options: argparse.Namespace, make: Callable[[Cell], Row],
         about: Mapping[str, Any], figure: str) -> None:
    """Makes the cells that are missing, and stores the table after each.

    Args:
        name: Of the script and of the stored record.
        options: Those of `parser`.
        make: Trains and scores a cell.
        about: What the record says beside the cells.
        figure: The one that is shown of ``'upright'`` and ``'turned'``.
    """
    for seed, fraction, variant in product(options.seeds, options.fractions, options.variants):
        cell = Cell(variant, fraction, seed, options.work)
        cell.path.parent.mkdir(parents=True, exist_ok=True)
        if not cell.path.exists():
            partial = cell.path.with_suffix('.partial')
            partial.write_text(json.dumps(make(cell), indent=1))
            partial.replace(cell.path)
        rows = [json.loads(path.read_text()) for path in sorted(cell.path.parent.glob('*.json'))]
        store(name, {**about, 'cells': rows}, ['python', f'bench/{name}.py', *sys.argv[1:]], seed)
        row = json.loads(cell.path.read_text())
        sys.stderr.write(f'{cell.key}: upright {row["upright"][figure]:.3f}, '
                         f'turned {row["turned"][figure]:.3f}\n')
