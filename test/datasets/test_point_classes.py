"""Classes of points from data sets with other words for them."""

from pathlib import Path

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_eval.datasets.open import open_recording
from eq_perception.panoptic.classes import CLASS_NAMES
from eq_perception.panoptic.classes import train_ids

SHARED = Path(__file__).resolve().parents[3] / 'shared/data'


def write(folder, label):
    xyz = np.random.default_rng(0).normal(size=(3, len(label))).astype(np.float32)
    xyz[:, 0] = 0                                    # no return
    np.savez(folder / '000000.npz', x=xyz[0], y=xyz[1], z=xyz[2], label=np.array(label, np.uint8))


def test_rellis_classes_become_those_of_semantic_kitti(tmp_path):
    write(tmp_path, [10, 3, 4, 17, 0])
    scan = next(iter(open_recording(tmp_path).scans()))
    names = [CLASS_NAMES[train] for train in train_ids(scan.semantic)]
    assert names == ['terrain', 'vegetation', 'person', 'unlabeled'] and len(scan.points) == 4


def test_a_label_that_is_none_of_rellis_is_named(tmp_path):
    write(tmp_path, [3, 99])
    with pytest.raises(InputError, match='99'):
        next(iter(open_recording(tmp_path).scans()))


@pytest.mark.skipif(not SHARED.is_dir(), reason='needs ../shared/data')
@pytest.mark.parametrize(('name', 'present'), [
    ('rellis_frame', {'terrain', 'vegetation', 'person'}),
    ('semantickitti_00', {'car', 'road', 'building', 'vegetation'})])
def test_real_frames_have_the_classes_they_are_known_for(name, present):
    scan = next(iter(open_recording(SHARED / name).scans()))
    assert scan.semantic.shape == (len(scan.points),)
    assert present <= {CLASS_NAMES[train] for train in np.unique(train_ids(scan.semantic))}
