"""Damaged data sets (row 32 of the fault table): the error names the file, or it is counted."""

from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from eq_core.errors import InputError
from eq_eval.datasets.compact_npz import load_points
from eq_eval.datasets.files import read_array
from eq_eval.datasets.files import read_table
from eq_eval.datasets.open import open_recording
from eq_eval.datasets.pcd import load_pcd


def cut(path: Path, by: int) -> None:
    path.write_bytes(path.read_bytes()[:-by])


def test_cut_scan_names_file_and_size(kitti_folder: Path) -> None:
    cut(kitti_folder / 'velodyne/000001.bin', 3)
    recording = open_recording(kitti_folder)
    with pytest.raises(InputError, match=r'000001\.bin has 797 bytes, not a multiple of 16'):
        list(recording.scans())


KITTI_FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    'cut scan': (lambda root: cut(root / 'velodyne/000001.bin', 5), 'multiple of 16'),
    'no label file': (lambda root: (root / 'label_2/000001.txt').unlink(), 'label_2/000001.txt'),
    'no calibration': (lambda root: (root / 'calib/000001.txt').unlink(), 'calib/000001.txt'),
    'short label row': (lambda root: (root / 'label_2/000001.txt').write_text('Car 1 2 3\n'),
                        'line 1: 4 columns, expected 15'),
    'no number': (lambda root: (root / 'label_2/000001.txt').write_text('Car' + ' x' * 14),
                  'line 1: could not convert'),
    'unknown class': (lambda root: (root / 'label_2/000001.txt').write_text(
        'Boat' + ' 1' * 14), "unknown classes \\['Boat'\\]"),
    'binary label': (lambda root: (root / 'label_2/000001.txt').write_bytes(b'\xff\xfe\0'),
                     "can't decode"),
    'no matrix': (lambda root: (root / 'calib/000001.txt').write_text('P2: 1 2'),
                  'P2: 2 numbers, expected 12'),
}


@pytest.mark.parametrize('fault', KITTI_FAULTS)
def test_kitti_faults_are_raised_or_counted(kitti_folder: Path, fault: str) -> None:
    damage, text = KITTI_FAULTS[fault]
    damage(kitti_folder)
    with pytest.raises(InputError, match=text):
        list(open_recording(kitti_folder).scans())
    tolerant = open_recording(kitti_folder, skip_bad=True)
    assert [scan.index for scan in tolerant.scans()] == [0, 2]
    assert len(tolerant.lost) == 1 and '000001' in tolerant.lost[0]
    assert len(list(tolerant.scans())) == 2 and len(tolerant.lost) == 1  # not counted twice
    assert len(tolerant) == 3


def test_labels_of_another_number_of_points(sequence_folder: Path) -> None:
    path = sequence_folder / 'labels/000002.label'
    cut(path, 8)
    with pytest.raises(InputError, match=r'000002\.label labels 48 points \(192 bytes\), the scan '
                                         'has 50'):
        list(open_recording(sequence_folder).scans())
    cut(path, 1)
    with pytest.raises(InputError, match='191 bytes, not a multiple of 4'):
        list(open_recording(sequence_folder).scans())
    tolerant = open_recording(sequence_folder, skip_bad=True)
    assert len(list(tolerant.scans())) == 2 and len(tolerant.lost) == 1


def test_too_few_poses(sequence_folder: Path) -> None:
    (sequence_folder / 'poses.txt').write_text('1 0 0 0 0 1 0 0 0 0 1 0\n')
    with pytest.raises(InputError, match='holds 1 poses, there are 3 scans'):
        open_recording(sequence_folder)
    (sequence_folder / 'poses.txt').write_text('1 0 0 0 0 1 0 0 0 0 1\n')
    with pytest.raises(InputError, match='line 1: 11 numbers, expected 12'):
        open_recording(sequence_folder)


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / 'velodyne').mkdir()
    with pytest.raises(InputError, match='has no velodyne'):
        open_recording(tmp_path)


def test_damaged_npz(tmp_path: Path) -> None:
    good = tmp_path / 'good.npz'
    columns = {name: np.arange(9, dtype=np.int32) for name in ('x_mm', 'y_mm', 'z_mm')}
    np.savez_compressed(good, **columns)
    assert len(load_points(good)) == 9
    for size in (0, 10, 100, good.stat().st_size - 20):
        bad = tmp_path / 'bad.npz'
        bad.write_bytes(good.read_bytes()[:size])
        with pytest.raises(InputError, match=rf'bad\.npz \({size} bytes\)'):
            load_points(bad)
    np.savez(tmp_path / 'other.npz', x_mm=np.zeros(3), y_mm=np.zeros(2), z_mm=np.zeros(3))
    with pytest.raises(InputError, match='different lengths'):
        load_points(tmp_path / 'other.npz')
    np.savez(tmp_path / 'flat.npz', x=np.zeros(3), y=np.zeros(3))
    with pytest.raises(InputError, match=r"no column \['z'\]"):
        load_points(tmp_path / 'flat.npz')
    np.savez(tmp_path / 'pickled.npz', x=np.array([{}], object))
    with pytest.raises(InputError, match='pickle'):
        load_points(tmp_path / 'pickled.npz')


HEADER = ('VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 4\nHEIGHT 1\n'
          'POINTS 4\nDATA binary\n')
COMPRESSED = HEADER.replace('binary', 'binary_compressed').encode()


@pytest.mark.parametrize(('content', 'text'), [
    (b'', 'no DATA line'),
    (b'\x89PNG' * 5000, 'no DATA line'),
    ((HEADER + 'x' * 47).encode(), r'\(143 bytes, 4 points of 12 bytes\)'),
    (HEADER.replace('binary', 'ascii').encode() + b'1 2 3\n', '3 numbers, expected 12'),
    (HEADER.replace('binary', 'ascii').encode() + b'a b c\n' * 4, 'could not convert'),
    (HEADER.replace('binary', 'zip').encode(), "as 'zip'"),
    (HEADER.replace('SIZE 4 4 4', 'SIZE 4 4').encode() + b'0' * 48, 'bad header'),
    (HEADER.replace('POINTS 4\n', '').encode() + b'0' * 48, 'bad header'),
    (HEADER.replace('x y z', 'a b c').encode() + b'0' * 48, 'expected x y z'),
    (COMPRESSED + b'\1\0\0\0\x30\0\0\0\0', 'give 0 bytes, expected 48'),
    (COMPRESSED + b'\1', 'cut off'),
])
def test_damaged_pcd(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / 'a.pcd'
    path.write_bytes(content)
    with pytest.raises(InputError, match=text):
        load_pcd(path)
    (tmp_path / 'a.pcd.gz').write_bytes(b'no gzip')
    with pytest.raises(InputError):
        load_pcd(tmp_path / 'a.pcd.gz')


@given(data=st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory,
                                       data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / 'any.bin'
    path.write_bytes(data)
    for read in (lambda: read_array(path, '<f4', 4), lambda: read_table(path, 12),
                 lambda: load_points(path), lambda: load_pcd(path)):
        try:
            read()
        except InputError as error:
            assert 'any.bin' in str(error)
