"""Messages of several topics find their partners, and those that stay alone are counted."""

from __future__ import annotations

import numpy as np

from eq_ros.stamped_sets import StampedSets

KINDS = ('depth', 'color', 'camera_info')


def play(sets, *messages):
    """Adds (kind, stamp) one after the other; all that became whole, and how many stay alone."""
    found, alone = [], 0
    for kind, stamp in messages:
        whole, lost = sets.add(kind, stamp, (kind, stamp))
        alone += lost
        if whole is not None:
            assert [name for name, _ in whole] == list(KINDS)
            found.append([stamp for _, stamp in whole])
    return found, alone


def test_partners_come_in_any_order():
    for order in ('012', '021', '102', '120', '201', '210'):
        messages = [(KINDS[int(number)], 100) for number in order]
        assert play(StampedSets(KINDS, 0), *messages) == ([[100, 100, 100]], 0)


def test_the_nearest_stamp_within_the_slop_is_taken():
    messages = [('color', 90), ('color', 103), ('color', 111), ('camera_info', 96), ('depth', 100)]
    assert play(StampedSets(KINDS, 5), *messages) == ([[100, 103, 96]], 0)
    assert play(StampedSets(KINDS, 2), *messages) == ([], 0)


def test_what_is_older_than_a_whole_set_stays_alone():
    sets = StampedSets(KINDS, 0)
    assert play(sets, ('depth', 1), ('depth', 2), ('color', 3), ('camera_info', 3),
                ('depth', 3)) == ([[3, 3, 3]], 2)
    assert play(sets, ('color', 2), ('camera_info', 2)) == ([], 0)      # too late for it


def test_of_a_topic_that_comes_alone_only_the_last_wait():
    sets = StampedSets(KINDS, 0, depth=3)
    assert play(sets, *(('depth', stamp) for stamp in range(8))) == ([], 5)
    assert play(sets, *(('color', stamp) for stamp in range(8))) == ([], 0)
    assert play(sets, ('camera_info', 6)) == ([[6, 6, 6]], 1)


def test_every_leading_message_is_whole_alone_or_waits():
    rng = np.random.default_rng(0)
    sets, whole, alone, given = StampedSets(KINDS, 3, depth=4), 0, 0, 0
    for stamp in range(0, 3000, 10):
        for kind in rng.permutation(KINDS):
            if rng.uniform() < .7:
                found, lost = play(sets, (str(kind), stamp + int(rng.integers(-2, 2))))
                whole, alone = whole + len(found), alone + lost
                given += kind == 'depth'
    assert whole > 50 and alone > 20
    assert 0 <= given - whole - alone <= 4
    sets.clear()
    assert play(sets, ('color', 10**6), ('camera_info', 10**6)) == ([], 0)
