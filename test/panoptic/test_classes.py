"""Raw ids of label files and train ids of the network."""

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_eval.simulation.materials import SEMANTIC
from eq_perception.panoptic.classes import CLASS_NAMES
from eq_perception.panoptic.classes import RAW_OF_TRAIN
from eq_perception.panoptic.classes import STUFF
from eq_perception.panoptic.classes import THINGS
from eq_perception.panoptic.classes import train_ids


def test_writing_and_reading_a_class_gives_it_back():
    assert np.array_equal(train_ids(RAW_OF_TRAIN), np.arange(len(CLASS_NAMES)))
    assert sorted((0, *THINGS, *STUFF)) == list(range(len(CLASS_NAMES)))


def test_every_simulated_class_is_known():
    named = {name: int(train_ids(np.array([raw], np.uint16))[0])
             for name, raw in SEMANTIC.items()}
    assert all(CLASS_NAMES[train] == name for name, train in named.items() if train)


@pytest.mark.parametrize('raw', [2, 251, 260, 65535])
def test_an_unknown_id_is_named(raw):
    with pytest.raises(InputError, match=str(raw)):
        train_ids(np.array([10, raw], np.uint16))
