"""Places are remembered: what was known of them, for how long, and from whatever side."""

import numpy as np
import pytest

from eq_core.groups.group import PlanarGroup
from eq_perception.panoptic.memory import ClassMemory
from eq_perception.panoptic.memory import DECAY
from eq_perception.panoptic.memory import EXTENT
from eq_perception.panoptic.memory import VOXEL
from eq_perception.panoptic.memory import WEIGHT
from eq_perception.panoptic.postprocess import classify
from eq_perception.panoptic.postprocess import evidence_of
from eq_perception.panoptic.postprocess import probability_of

ROAD, GRASS = 9, 17


def opinion(label, probability, count=1):
    """(count, 20) evidence of one scan for one class, the others alike."""
    rest = (1 - probability) / 18
    answer = np.full((count, 20), np.log(rest), np.float32)
    answer[:, label], answer[:, 0] = np.log(probability), 1
    return answer


def recall(memory, places, pose, evidence):
    """The evidence that all points get together with the memory's; the given one stays."""
    joined = evidence.copy()
    memory.recall(places, pose, joined, np.ones(len(places), bool))
    return joined


def pose_at(x=0., y=0., z=0.):
    pose = np.eye(4)
    pose[:3, 3] = x, y, z
    return pose


def test_two_clear_looks_outweigh_a_doubtful_third_one_from_elsewhere():
    memory, place = ClassMemory(), np.array([[10.1, 3.1, -1.6]], np.float32)
    for _ in range(2):
        recall(memory, place, np.eye(4), opinion(ROAD, .95))
    back = place - np.array([[-20, 0, 0]], np.float32)
    joined = recall(memory, back, pose_at(-20.), opinion(GRASS, .5))
    label = classify(joined)
    assert label[0] == ROAD and .3 < probability_of(label, joined)[0] < .9
    alone = recall(ClassMemory(), back, pose_at(-20.), opinion(GRASS, .5))
    assert classify(alone)[0] == GRASS and np.isclose(probability_of(classify(alone), alone), .5)


def test_sums_are_those_of_the_recursion():
    """S_t = DECAY S_(t-1) + mean of log p_t; the answer is log p_t + WEIGHT S_(t-1)."""
    rng, memory = np.random.default_rng(0), ClassMemory()
    places = rng.uniform(0, 1, (7, 3)) * VOXEL
    past = np.zeros(20)
    for _ in range(5):
        present = np.log(rng.dirichlet(np.ones(20), 7)).astype(np.float32)
        present = evidence_of(present)
        joined = recall(memory, places.astype(np.float32), np.eye(4), present)
        np.testing.assert_allclose(joined, present + WEIGHT * past, rtol=1e-4)
        past = DECAY * past + present.mean(0)


def test_nothing_is_remembered_of_other_places_nor_after_a_reset():
    memory, place = ClassMemory(), np.array([[5., 5., -1.]], np.float32)
    recall(memory, place, np.eye(4), opinion(ROAD, .9))
    doubt = opinion(GRASS, .4)
    for other in (place + np.float32([[0, 1, 0]]), place + np.float32([[0, 0, 1]])):
        assert recall(memory, other, np.eye(4), doubt)[0, 0] == 1
    # Where the table begins anew, places share slots; they do not share what is known.
    far = pose_at(2 * EXTENT[0], 0, 0)
    assert recall(memory, place, far, doubt)[0, 0] == 1
    recall(memory, place, np.eye(4), opinion(ROAD, .9))
    memory.reset()
    assert recall(memory, place, np.eye(4), doubt)[0, 0] == 1


def test_places_beyond_the_table_are_judged_by_the_scan_at_hand():
    memory, answer = ClassMemory(), opinion(ROAD, .7, 2)
    places = np.array([[EXTENT[0] + 1, 0, 0], [0, 3, EXTENT[2] + 1]], np.float32)
    for _ in range(3):
        joined = recall(memory, places, np.eye(4), answer)
        np.testing.assert_array_equal(joined, answer)


@pytest.mark.parametrize('turns', [1, 2, 3])
@pytest.mark.parametrize('what', ['sensor', 'odometry'])
def test_turns_change_no_answer(turns, what):
    turn = np.eye(4)
    turn[:2, :2] = PlanarGroup(4).matrices[turns]
    rng = np.random.default_rng(4)
    upright, aside = ClassMemory(), ClassMemory()
    world = rng.uniform(-30, 30, (2000, 3)) * [1, 1, .1]
    for step in range(4):
        pose = pose_at(.3 * step, -.1 * step, .05)
        xyz = (world - pose[:3, 3]).astype(np.float32)
        present = evidence_of(np.log(rng.dirichlet(np.ones(20), len(xyz))).astype(np.float32))
        first = recall(upright, xyz, pose, present)
        if what == 'sensor':
            turned = (xyz @ turn[:3, :3].T).astype(np.float32)
            second = recall(aside, turned, pose @ turn.T, present)
        else:
            second = recall(aside, xyz, turn @ pose, present)
        np.testing.assert_allclose(first, second, atol=1e-5)
    assert (first[:, 0] > 1).all()


def test_points_that_do_not_take_part_neither_ask_nor_tell():
    memory, place = ClassMemory(), np.array([[5., 5., -1.]], np.float32)
    told = opinion(ROAD, .9)
    memory.recall(place, np.eye(4), told, np.zeros(1, bool))
    np.testing.assert_array_equal(told, opinion(ROAD, .9))
    assert recall(memory, place, np.eye(4), opinion(GRASS, .4))[0, 0] == 1
