"""LSTQ: hand-made cases, laws, a slow twin of the formula, and the figures of nuscenes-devkit."""

import itertools
import math

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_eval.metrics.lstq import SegmentationTrackingQuality
from eq_perception.panoptic.classes import CLASS_NAMES
from eq_perception.panoptic.classes import STUFF
from eq_perception.panoptic.classes import THINGS

CAR, PERSON, ROAD = (CLASS_NAMES.index(name) for name in ('car', 'person', 'road'))
FIRST_STUFF = STUFF[0]
Scan = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def points(*runs: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels of runs of points: class, object, number of points."""
    semantic, instance, count = np.array(runs).T
    return np.repeat(semantic, count), np.repeat(instance, count)


def scored(*scans, sequences=None, **kwargs):
    quality = SegmentationTrackingQuality()
    for name, scan in zip(sequences or itertools.repeat('08'), scans):
        quality.add(name, *scan)
    return quality.result(**kwargs)


def random_sequence(rng: np.random.Generator, thing_noise: float, num_scans: int = 6,
                    sizes=(5, 50, 51, 120, 400)) -> list[Scan]:
    """Objects that split, merge and change ids, stuff with wrong classes, things now and then."""
    kinds = rng.choice(THINGS, 8)
    scans = []
    for _ in range(num_scans):
        size = rng.choice(sizes, 20)
        size[8:] += 100
        true_semantic = np.repeat([*kinds, *rng.choice(STUFF, 11), 0], size)
        # Different objects may share a number when their classes differ.
        true_instance = np.repeat([*np.where(np.arange(8) % 3 == 0, 1, np.arange(1, 9)),
                                   *[0] * 12], size)
        semantic = true_semantic.copy()
        stuff = np.flatnonzero(true_semantic >= FIRST_STUFF)
        wrong = stuff[rng.random(len(stuff)) < .2]
        semantic[wrong] = rng.choice(STUFF, len(wrong))
        swapped = rng.random(len(semantic)) < thing_noise
        semantic[swapped] = rng.integers(0, 20, int(swapped.sum()))
        instance = np.where(np.isin(semantic, THINGS),
                            np.repeat(rng.integers(1, 7, 20), size), 0)
        scans.append((semantic, instance, true_semantic, true_instance))
    return scans


def test_the_truth_scores_one() -> None:
    truth = points((CAR, 1, 80), (PERSON, 2, 60), (ROAD, 0, 500))
    result = scored((*truth, *truth), (*truth, *truth))
    assert (result.LSTQ, result.S_assoc, result.S_cls) == (1., 1., 1.)
    assert (result.IoU_things, result.IoU_stuff, result.num_objects) == (1., 1., 2)
    assert result.LSTQ_all_classes == pytest.approx(math.sqrt(3 / 19))


def test_a_change_of_id_and_a_merger() -> None:
    truth = points((CAR, 1, 100), (CAR, 2, 100))
    changed = points((CAR, 3, 100), (CAR, 2, 100))
    # First car: two tubes of 100, each half of it. Second one whole.
    assert scored((*truth, *truth), (*changed, *truth)).S_assoc == pytest.approx(.75)
    merged = points((CAR, 5, 200))
    result = scored((*merged, *truth), (*merged, *truth))
    assert result.S_assoc == pytest.approx(.5)
    assert (result.S_cls, result.LSTQ) == (1., pytest.approx(math.sqrt(.5)))


def test_association_knows_no_classes() -> None:
    truth = points((CAR, 1, 100), (ROAD, 0, 100))
    said = points((PERSON, 1, 100), (ROAD, 0, 100))
    result = scored((*said, *truth))
    assert (result.S_assoc, result.S_cls, result.IoU_things) == (1., .5, 0.)


def test_ids_hold_within_a_sequence() -> None:
    truth = points((CAR, 1, 100))
    other = points((CAR, 2, 100))
    scans = ((*truth, *truth), (*other, *truth))
    assert scored(*scans).S_assoc == .5
    apart = scored(*scans, sequences=('08', '09'))
    assert (apart.S_assoc, apart.num_objects) == (1., 2)


def test_a_scan_with_few_points_does_not_count_for_an_object() -> None:
    wide, thin = points((CAR, 1, 100)), points((CAR, 1, 50))
    missed = points((CAR, 0, 50))
    assert scored((*wide, *wide), (*missed, *thin)).S_assoc == 1.
    missed, enough = points((CAR, 0, 51)), points((CAR, 1, 51))
    assert scored((*wide, *wide), (*missed, *enough)).S_assoc == pytest.approx(100 ** 2 / 151 ** 2)


def test_without_objects_there_is_no_association() -> None:
    road = points((ROAD, 0, 100))
    result = scored((*road, *road))
    assert (result.LSTQ, result.S_assoc, result.S_cls, result.num_objects) == (None, None, 1., 0)
    with pytest.raises(InputError, match='no labelled point'):
        scored()


def test_order_of_scans_and_names_of_objects_do_not_matter() -> None:
    rng = np.random.default_rng(4)
    scans = random_sequence(rng, .2)
    name = rng.permutation(50) + 4_000_000_000
    name[0] = 0
    renamed = [(s, name[i], ts, name[::-1][ti] * (ti > 0)) for s, i, ts, ti in scans[::-1]]
    plain, other = scored(*scans), scored(*renamed)
    assert 0 < plain.S_assoc < 1
    assert other.S_assoc == pytest.approx(plain.S_assoc, abs=1e-12)
    assert other.class_IoU == pytest.approx(plain.class_IoU)


def twin(sequences: dict[str, list[Scan]], min_points: int) -> tuple[float, float]:
    """S_cls and S_assoc from their definition, with sets of points."""
    true_tubes, tubes, true_of, said_of = {}, {}, {}, {}
    for name, scans in sequences.items():
        for scan, columns in enumerate(scans):
            table = [tuple(map(int, row)) for row in zip(*columns, strict=True)]
            for index, (semantic, instance, true_semantic, true_instance) in enumerate(table):
                if true_semantic == 0:
                    continue
                point = (name, scan, index)
                said_of.setdefault(semantic, set()).add(point)
                true_of.setdefault(true_semantic, set()).add(point)
                if instance > 0:
                    tubes.setdefault((name, instance), set()).add(point)
                if true_instance > 0 and sum(
                        row[2:] == (true_semantic, true_instance) for row in table) > min_points:
                    true_tubes.setdefault((name, true_semantic, true_instance), set()).add(point)
    s_cls = np.mean([len(true & said_of.get(label, set())) / len(true | said_of.get(label, set()))
                     for label, true in true_of.items()])
    s_assoc = np.mean([sum(len(s & t) * len(s & t) / len(s | t) for s in tubes.values()) / len(t)
                       for t in true_tubes.values()])
    return float(s_cls), float(s_assoc)


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('noise', [0., .1, .3])
def test_equals_the_slow_twin(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    sequences = {name: [tuple(column[::11] for column in scan)
                        for scan in random_sequence(rng, noise, 3)] for name in 'ab'}
    quality = SegmentationTrackingQuality(min_points=5)
    for name, scans in sequences.items():
        for scan in scans:
            quality.add(name, *scan)
    result = quality.result()
    s_cls, s_assoc = twin(sequences, 5)
    assert result.S_cls == pytest.approx(s_cls, abs=1e-12)
    assert result.S_assoc == pytest.approx(s_assoc, abs=1e-12)
    assert result.LSTQ == pytest.approx(math.sqrt(s_cls * s_assoc), abs=1e-12)
    assert 0 < result.S_assoc < 1


def official(sequences: dict[str, list[Scan]]) -> tuple[float, float]:
    """LSTQ and S_assoc of nuscenes-devkit, with SemanticKITTI's classes."""
    module = pytest.importorskip('nuscenes.eval.panoptic.panoptic_track_evaluator',
                                 reason='nuscenes-devkit missing')
    evaluator = module.PanopticTrackingEval(20, FIRST_STUFF, ignore=[0], min_points=50)
    for name, scans in sequences.items():
        for semantic, instance, true_semantic, true_instance in scans:
            evaluator.addBatchSemIoU(semantic, true_semantic)
            evaluator.add_batch_panoptic(name, [None, semantic], [None, instance],
                                         [None, true_semantic], [None, true_instance])
    return evaluator.get_lstq()


@pytest.mark.parametrize('seed', range(8))
def test_equals_nuscenes_devkit_where_things_have_the_right_class(seed: int) -> None:
    """Objects of at least 51 points: nuScenes drops predicted ones below, SemanticKITTI not."""
    rng = np.random.default_rng(seed)
    sequences = {name: random_sequence(rng, 0., sizes=(51, 120, 400)) for name in 'abc'}
    lstq, s_assoc = official(sequences)
    result = scored(*itertools.chain(*sequences.values()),
                    sequences=itertools.chain(*([name] * 6 for name in sequences)))
    assert result.S_assoc == pytest.approx(float(s_assoc), abs=1e-12)
    assert result.LSTQ_all_classes == pytest.approx(float(lstq), abs=1e-12)
    assert result.S_cls < 1 and result.S_assoc < 1


def test_differs_from_nuscenes_devkit_where_things_have_wrong_classes() -> None:
    """As it must: nuScenes leaves out predicted points of stuff classes."""
    rng = np.random.default_rng(0)
    scans = random_sequence(rng, .3, sizes=(120, 400))
    assert abs(scored(*scans).S_assoc - official({'a': scans})[1]) > 1e-3
