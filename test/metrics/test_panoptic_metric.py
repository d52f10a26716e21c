"""Panoptic quality: hand-made cases, laws, and the figures of SemanticKITTI's evaluator."""

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_eval.metrics.panoptic import PanopticQuality
from eq_perception.panoptic.classes import CLASS_NAMES
from eq_perception.panoptic.classes import STUFF
from eq_perception.panoptic.classes import THINGS

CAR, PERSON, ROAD, BUILDING = (CLASS_NAMES.index(name) for name in
                               ('car', 'person', 'road', 'building'))
FIGURES = ('PQ', 'SQ', 'RQ', 'mIoU')


def points(*runs: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels of runs of points: class, object, number of points."""
    semantic, instance, count = np.array(runs).T
    return np.repeat(semantic, count).astype(np.uint8), np.repeat(instance, count)


def scored(predicted, true, **kwargs):
    quality = PanopticQuality()
    quality.add(*predicted, *true)
    return quality.result(**kwargs)


def random_scan(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Runs of points with wrong classes, split, merged and shifted objects, and small ones."""
    classes = rng.permutation(20)[:int(rng.integers(3, 20))]
    size = rng.choice([5, 49, 50, 51, 120, 400], 60)
    true_semantic = np.repeat(rng.choice(classes, 60), size)
    true_instance = np.repeat(rng.integers(0, 20, 60), size)
    semantic, instance = true_semantic.copy(), true_instance.copy()
    semantic = np.roll(semantic, int(rng.integers(0, 40)))
    wrong = np.repeat(rng.random(60) < .2, size)
    semantic[wrong] = np.repeat(rng.integers(0, 20, 60), size)[wrong]
    instance = np.roll(instance // int(rng.integers(1, 3)), int(rng.integers(0, 40)))
    for label, ids in ((semantic, instance), (true_semantic, true_instance)):
        ids[~np.isin(label, THINGS)] = 0
    return semantic, instance, true_semantic, true_instance


def test_the_truth_scores_one() -> None:
    truth = points((CAR, 1, 80), (CAR, 2, 60), (ROAD, 0, 500), (0, 0, 30))
    result = scored(truth, truth)
    assert [getattr(result, name) for name in FIGURES] == [1.] * 4
    assert result.PQ_things == result.PQ_stuff == 1.
    assert result.classes == ('car', 'road')
    assert result.PQ_all_classes == result.mIoU_all_classes == pytest.approx(2 / 19)


def test_an_overlap_of_half_is_no_match() -> None:
    truth = points((CAR, 1, 100), (ROAD, 0, 100))
    half = scored(points((CAR, 1, 50), (ROAD, 0, 150)), truth)
    assert half.class_PQ['car'] == 0.            # IoU 50 / 100: one false, one missed
    more = scored(points((CAR, 1, 51), (ROAD, 0, 149)), truth)
    assert more.class_PQ['car'] == pytest.approx(.51)
    assert more.class_PQ['road'] == pytest.approx(100 / 149)
    assert (more.SQ, more.RQ) == (pytest.approx((.51 + 100 / 149) / 2), 1.)


def test_two_cars_found_as_one() -> None:
    """IoU 100 / 160 with the larger one; the smaller one is missed."""
    truth = points((CAR, 1, 100), (CAR, 2, 60))
    result = scored(points((CAR, 9, 160)), truth)
    assert result.RQ == pytest.approx(1 / 1.5)
    assert result.PQ == pytest.approx(100 / 160 / 1.5)
    assert result.mIoU == 1.


def test_small_segments_count_when_matched_only() -> None:
    road = (ROAD, 0, 300)
    truth = points(road, (PERSON, 1, 49))
    assert scored(points((ROAD, 0, 349)), truth).class_PQ['person'] is None
    assert scored(truth, truth).class_PQ['person'] == 1.
    truth = points(road, (PERSON, 1, 50))
    assert scored(points((ROAD, 0, 350)), truth).class_PQ['person'] == 0.


def test_unlabelled_points_do_not_count() -> None:
    truth = points((CAR, 1, 100), (0, 0, 400))
    assert scored(points((CAR, 1, 500)), truth).PQ == 1.
    # Said to be unlabelled where it is a car: a miss, but nothing false.
    silent = scored(points((0, 0, 100), (CAR, 1, 400)), truth)
    assert (silent.PQ, silent.mIoU) == (0., 0.)


def test_objects_of_stuff_are_ignored() -> None:
    truth = points((BUILDING, 3, 100), (BUILDING, 4, 100), (ROAD, 0, 100))
    said = points((BUILDING, 7, 150), (BUILDING, 8, 50), (ROAD, 1, 100))
    assert scored(said, truth).PQ == 1.


def test_means_over_chosen_classes() -> None:
    truth = points((CAR, 1, 100), (ROAD, 0, 100), (BUILDING, 0, 100))
    said = points((CAR, 1, 100), (ROAD, 0, 100), (PERSON, 2, 100))
    assert scored(said, truth).mIoU == pytest.approx(2 / 3)
    assert scored(said, truth, classes=(CAR, ROAD)).PQ == 1.
    assert scored(said, truth, classes=(*THINGS, *STUFF)).mIoU == pytest.approx(2 / 4)
    assert scored(said, truth, classes=(ROAD,)).PQ_things is None


def test_order_and_names_of_objects_do_not_matter() -> None:
    rng = np.random.default_rng(5)
    plain, shuffled = PanopticQuality(), PanopticQuality()
    for _ in range(5):
        scan = random_scan(rng)
        order = rng.permutation(len(scan[0]))
        name = rng.permutation(100) + 1
        name += 4_000_000_000  # ids of uint32 may be as large
        plain.add(*scan)
        semantic, instance, true_semantic, true_instance = (column[order] for column in scan)
        shuffled.add(semantic, name[instance], true_semantic, name[::-1][true_instance])
    assert plain.result().class_PQ == pytest.approx(shuffled.result().class_PQ)
    assert plain.result().class_IoU == pytest.approx(shuffled.result().class_IoU)


def test_refusals() -> None:
    quality = PanopticQuality()
    with pytest.raises(InputError, match='no labelled point'):
        quality.result()
    good = points((CAR, 1, 3))
    with pytest.raises(InputError, match='one label a point'):
        quality.add(*good, good[0], good[1][:2])
    with pytest.raises(InputError, match='holds the id 20'):
        quality.add(good[0] + 19, good[1], *good)
    with pytest.raises(InputError, match='negative id -1'):
        quality.add(good[0], good[1] - 2, *good)
    with pytest.raises(InputError, match='integers'):
        quality.add(good[0], good[1] * 1., *good)
    with pytest.raises(InputError, match='min_points'):
        PanopticQuality(min_points=0)
    quality.add(*good, *good)
    with pytest.raises(InputError, match='no train id'):
        quality.result(classes=(0, 1))


@pytest.mark.parametrize('seed', range(20))
def test_equals_the_evaluator_of_semantic_kitti(seed: int) -> None:
    """nuscenes-devkit carries semantic-kitti-api's PanopticEval."""
    module = pytest.importorskip('nuscenes.eval.panoptic.panoptic_seg_evaluator',
                                 reason='nuscenes-devkit missing')
    official = module.PanopticEval(20, ignore=[0], min_points=50)
    quality = PanopticQuality()
    rng = np.random.default_rng(seed)
    for _ in range(int(rng.integers(1, 6))):
        scan = random_scan(rng)
        quality.add(*scan)
        official.addBatch(*scan)
    result = quality.result()
    pq, sq, rq, pq_of, _, _ = official.getPQ()
    miou, iou_of = official.getSemIoU()
    assert result.PQ_all_classes == pytest.approx(pq, abs=1e-12)
    assert result.SQ_all_classes == pytest.approx(sq, abs=1e-12)
    assert result.RQ_all_classes == pytest.approx(rq, abs=1e-12)
    assert result.mIoU_all_classes == pytest.approx(miou, abs=1e-12)
    for label, name in enumerate(CLASS_NAMES[1:], 1):
        assert (result.class_PQ[name] or 0.) == pytest.approx(pq_of[label], abs=1e-12), name
        assert (result.class_IoU[name] or 0.) == pytest.approx(iou_of[label], abs=1e-12), name
    assert 0 < result.PQ < 1
