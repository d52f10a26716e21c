"""What is told of columns equals what a slow look at each finds, and turns with the scene."""

import numpy as np
import pytest

from eq_perception.panoptic.columns import BANDS
from eq_perception.panoptic.columns import COLUMN_FEATURES
from eq_perception.panoptic.columns import describe_columns
from eq_perception.panoptic.columns import NUM_BANDS

EDGE = 8


def points(count=300, seed=0):
    """Cells (some of them none), heights, intensities."""
    rng = np.random.default_rng(seed)
    cell = rng.choice([*range(0, EDGE * EDGE, 3), EDGE * EDGE], count)
    return cell, rng.normal(1, 2, count).astype(np.float32), rng.random(count).astype(np.float32)


def slowly(cell, height, intensity, place):
    """The description of one column, in the order of its definition."""
    own = cell == place
    iy, ix = np.divmod(cell, EDGE)
    near = ((abs(iy - place // EDGE) <= 1) & (abs(ix - place % EDGE) <= 1)
            & (cell < EDGE * EDGE))
    band = (height[:, None] > BANDS).sum(1)
    bands = [np.log1p(np.bincount(band[some], minlength=NUM_BANDS)) for some in (own, near)]
    return np.concatenate([[height[own].min(), height[own].max(), np.log1p(own.sum()),
                            intensity[own].mean(), intensity[near].mean(), height[own].std()],
                           *bands])


def test_every_column_is_described_as_defined():
    cell, height, intensity = points()
    table = describe_columns(cell, height, intensity, EDGE)
    assert table.shape == (EDGE * EDGE + 1, COLUMN_FEATURES) and table.dtype == np.float32
    there = set(cell.tolist()) - {EDGE * EDGE}
    for place in range(EDGE * EDGE):
        expected = (slowly(cell, height, intensity, place) if place in there
                    else np.zeros(COLUMN_FEATURES))
        np.testing.assert_allclose(table[place], expected, rtol=1e-5, atol=1e-6)
    assert not table[-1].any()      # nothing is told of what lies outside


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_a_quarter_turn_moves_the_columns_and_changes_none(turns):
    cell, height, intensity = points()
    moved = np.append(np.rot90(np.arange(EDGE * EDGE).reshape(EDGE, EDGE), turns), EDGE * EDGE)
    upright = describe_columns(cell, height, intensity, EDGE)
    aside = describe_columns(np.argsort(moved)[cell], height, intensity, EDGE)
    np.testing.assert_allclose(aside, upright[moved], rtol=1e-6, atol=1e-7)


def test_no_point_gives_empty_columns():
    nothing = np.zeros(0, np.float32)
    assert not describe_columns(np.zeros(0, np.int64), nothing, nothing, EDGE).any()
