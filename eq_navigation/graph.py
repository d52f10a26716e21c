"""Geometric graphs: places, who is whose neighbour, and what is known of each place.

Neighbourhoods are padded to one width, ``[N, K]`` with a mask, which is what networks and engines
take; searches get a sparse matrix of the same edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import cKDTree

from eq_core.errors import InputError
from eq_core.geometry.occupancy import OccupancyMap
from eq_navigation.segments import segments_free

# (row, column) steps: four straight ones, then four diagonal ones.
STEPS = np.array([(-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)])

Double = NDArray[np.float64]
Integer = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class GeometricGraph:
    """A directed graph in the plane.

    Attributes:
        position: (N, 2) float64 places [m].
        neighbor: (N, K) int64 rows of neighbours; anything where `mask` is False.
        mask: (N, K) bool, which of them are there.
        feature: (N, F) float32, what is known of each place; numbers that do not turn.
        length: (N, K) float64 lengths of the edges [m], 0 where there is none; straight ones if
            not given.
    """

    position: Double
    neighbor: Integer
    mask: Mask
    feature: NDArray[np.float32]
    length: Double = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        """Checks shapes and references.

        Raises:
            InputError: They do not fit; the text names what.
        """
        count = len(self.position)
        if self.position.shape != (count, 2) or not np.isfinite(self.position).all():
            raise InputError(f'position must be finite, of shape (N, 2), got '
                             f'{self.position.shape}', 'bad_graph')
        if self.neighbor.shape != self.mask.shape or len(self.mask) != count:
            raise InputError(f'neighbor and mask must have shape ({count}, K), got '
                             f'{self.neighbor.shape} and {self.mask.shape}', 'bad_graph')
        if len(self.feature) != count or self.feature.ndim != 2:
            raise InputError(f'feature must have shape ({count}, F), got {self.feature.shape}',
                             'bad_graph')
        there = self.neighbor[self.mask]
        if len(there) and not 0 <= there.min() <= there.max() < count:
            raise InputError(f'neighbor must lie in 0..{count - 1}, got {there.min()}..'
                             f'{there.max()}', 'bad_graph')
        if not self.length.size:
            apart = self.position[self.neighbor] - self.position[:, None]
            object.__setattr__(self, 'length', np.hypot(apart[..., 0], apart[..., 1]) * self.mask)
        if self.length.shape != self.mask.shape:
            raise InputError(f'length must have shape {self.mask.shape}, got {self.length.shape}',
                             'bad_graph')

    def __len__(self) -> int:
        """Number of places."""
        return len(self.position)

    @classmethod
    def from_edges(cls, position: Double, edges: Integer,
                   feature: NDArray[np.float32] | None = None) -> GeometricGraph:
        """Builds the padded form.

        Args:
            position: (N, 2).
            edges: (E, 2) from, to; each once.
            feature: (N, F); without it F is 0.
        """
        count = len(position)
        order = np.argsort(edges[:, 0], kind='stable')
        source, target = edges[order].T
        degree = np.bincount(source, minlength=count)
        place = np.arange(len(source)) - np.repeat(np.cumsum(degree) - degree, degree)
        neighbor = np.zeros((count, int(degree.max(initial=1))), np.int64)
        mask = np.zeros(neighbor.shape, bool)
        neighbor[source, place], mask[source, place] = target, True
        return cls(np.asarray(position, float), neighbor, mask,
                   np.zeros((count, 0), np.float32) if feature is None else feature)

    def offset(self) -> Double:
        """Returns (N, K, 2), the way to each neighbour, as long as the edge [m]; 0 without one."""
        apart = self.position[self.neighbor] - self.position[:, None]
        straight = np.hypot(apart[..., 0], apart[..., 1])
        return np.asarray(apart * (self.length / np.maximum(straight, 1e-12))[..., None])

    def matrix(self, cost: NDArray[np.floating]) -> csr_matrix:
        """The edges as a sparse matrix.

        Args:
            cost: (N, K), positive; an edge of infinite cost is left out.
        """
        there = self.mask & np.isfinite(cost)
        start = np.concatenate([[0], np.cumsum(there.sum(1))])
        return csr_matrix((cost[there].astype(float), self.neighbor[there], start),
                          (len(self), len(self)))

    def nearest(self, xy: NDArray[np.floating]) -> int:
        """Row of the place nearest to (2,) coordinates [m]."""
        return int(np.square(self.position - xy).sum(1).argmin())


def grid_neighbors(traversable: Mask, diagonal: bool = True) -> tuple[NDArray[np.int32], Mask]:
    """Finds the moves between traversable cells.

    Args:
        traversable: (H, W).
        diagonal: Whether there are diagonal steps; they need both cells beside them free.

    Returns:
        (N, K) int32 rows of the cells in the order of ``np.flatnonzero(traversable)`` that the
        `STEPS` lead to, and (N, K) whether there is such a move.
    """
    height, width = traversable.shape
    free = np.pad(traversable, 1)
    number = np.zeros(free.shape, np.int32)
    number[1:-1, 1:-1] = np.cumsum(traversable.reshape(-1), dtype=np.int32).reshape(height, width)
    number -= 1

    def beside(field: NDArray, dy: int, dx: int) -> NDArray:
        return field[1 + dy:1 + dy + height, 1 + dx:1 + dx + width]
    cells = np.flatnonzero(traversable)
    steps = STEPS if diagonal else STEPS[:4]
    neighbor, mask = np.empty((len(cells), len(steps)), np.int32), np.empty(
        (len(cells), len(steps)), bool)
    for column, (dy, dx) in enumerate(steps):
        open_to = beside(free, dy, dx)
        if dy and dx:
            open_to = open_to & beside(free, dy, 0) & beside(free, 0, dx)
        mask[:, column] = open_to.reshape(-1)[cells]
        neighbor[:, column] = beside(number, dy, dx).reshape(-1)[cells]
    return neighbor, mask


def grid_edges(traversable: Mask, resolution: float) -> csr_matrix:
    """The moves between traversable cells, 8 ways, as a sparse matrix of lengths [m]."""
    neighbor, mask = grid_neighbors(traversable)
    length = (np.hypot(*STEPS.T) * resolution)[None]
    start = np.concatenate([[0], np.cumsum(mask.sum(1), dtype=np.int32)], dtype=np.int32)
    return csr_matrix((np.broadcast_to(length, mask.shape)[mask], neighbor[mask], start),
                      (len(mask), len(mask)))


def grid_graph(traversable: Mask, world: OccupancyMap, diagonal: bool = True) -> GeometricGraph:
    """Makes every traversable cell a place, with its neighbours beside it.

    Args:
        traversable: (H, W).
        world: Tells where cells are.
        diagonal: See `grid_neighbors`.

    Returns:
        Places in the order of ``np.flatnonzero(traversable)``.
    """
    neighbor, mask = grid_neighbors(traversable, diagonal)
    rows, columns = np.nonzero(traversable)
    return GeometricGraph(world.centre(rows, columns),
                          np.where(mask, neighbor, 0).astype(np.int64), mask,
                          np.zeros((len(mask), 0), np.float32))


def radius_graph(position: Double, radius: float, k: int, traversable: Mask | None = None,
                 world: OccupancyMap | None = None) -> GeometricGraph:
    """Joins scattered places: the k nearest, and what keeps together all within a radius.

    Edges are those to the k nearest and the minimum spanning tree of all pairs within the radius,
    both ways, without those that leave the traversable cells (Zhao et al. 2024, section V).

    Args:
        position: (N, 2) [m].
        radius: [m].
        k: Nearest neighbours.
        traversable: (H, W); without it no edge is checked.
        world: Tells where the cells are.
    """
    tree, count = cKDTree(position), len(position)
    near = np.asarray(tree.query(position, min(k + 1, count))[1]).reshape(count, -1)
    pairs = np.stack([np.repeat(np.arange(count), near.shape[1]), near.reshape(-1)], -1)
    within = tree.query_pairs(radius, output_type='ndarray')
    both = np.concatenate([pairs, within])
    both = np.unique(np.sort(both[both[:, 0] != both[:, 1]], axis=1), axis=0)
    if traversable is not None and world is not None and len(both):
        cells = world.to_cells(position)
        both = both[segments_free(traversable, cells[both[:, 0]], cells[both[:, 1]])]
    if not len(both):
        return GeometricGraph.from_edges(position, np.zeros((0, 2), np.int64))
    length = np.linalg.norm(position[both[:, 0]] - position[both[:, 1]], axis=1)
    joined = coo_matrix((length, (both[:, 0], both[:, 1])), (count, count))
    kept = {*map(tuple, np.sort(np.stack(minimum_spanning_tree(joined).nonzero(), -1), axis=1)),
            *map(tuple, np.sort(pairs, axis=1))}
    chosen = np.array([pair for pair in map(tuple, both) if pair in kept], np.int64).reshape(-1, 2)
    return GeometricGraph.from_edges(position, np.concatenate([chosen, chosen[:, ::-1]]))


def waypoint_graph(world: OccupancyMap, traversable: Mask, spacing: float, radius: float
                   ) -> GeometricGraph:
    """Scatters places where there is most room, and joins those that see each other.

    Cells are taken by falling clearance, each unless a chosen one lies within `spacing`, so that
    places follow the middle of corridors; then every pair within `radius` that sees each other is
    joined, if it is among the nearest or nothing else connects it.

    Args:
        world: The map.
        traversable: (H, W).
        spacing: Least distance of two places [m].
        radius: Largest length of an edge that joins parts [m].
    """
    rows, columns = np.nonzero(traversable)
    if not len(rows):
        return GeometricGraph.from_edges(np.zeros((0, 2)), np.zeros((0, 2), np.int64))
    clearance = world.clearance(~traversable)[rows, columns]
    place, tree = world.centre(rows, columns), cKDTree(world.centre(rows, columns))
    open_to, chosen = np.ones(len(rows), bool), []
    for cell in np.argsort(-clearance, kind='stable'):
        if open_to[cell]:
            chosen.append(cell)
            open_to[tree.query_ball_point(place[cell], spacing)] = False
    return radius_graph(place[chosen], radius, 6, traversable, world)
