"""Damaged bags (row 31 of the fault table): refused with the file's name, or salvaged."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_eval.datasets.bag_messages import read_messages
from eq_eval.datasets.open import open_recording

WriteBag = Callable[..., Path]


def storage(path: Path) -> Path:
    return next(file for file in path.iterdir() if file.suffix in ('.mcap', '.db3', '.bag'))


def read_all(path: Path, skip_bad: bool = False) -> tuple[int, list[str]]:
    recording = open_recording(path, topic='/points', skip_bad=skip_bad)
    return sum(1 for _ in recording.scans()), recording.lost


@pytest.mark.parametrize('form', ['mcap', 'sqlite3', 'ros1'])
@pytest.mark.parametrize('share', [0., .1, .5, .9])
def test_truncated(write_bag: WriteBag, form: str, share: float) -> None:
    path = write_bag(form, count=30)
    file = storage(path)
    data = file.read_bytes()
    file.write_bytes(data[:int(share * len(data))])
    opened = file if form == 'ros1' else path
    with pytest.raises(InputError, match=str(path.name)):
        read_all(opened)


def test_salvage_of_a_truncated_mcap(write_bag: WriteBag) -> None:
    file = write_bag('mcap_crc', count=40)
    file.write_bytes(file.read_bytes()[:file.stat().st_size // 2])
    with pytest.raises(InputError, match='drive.mcap'):
        read_all(file)
    count, lost = read_all(file, skip_bad=True)
    assert 10 <= count <= 20
    assert lost and 'drive.mcap' in lost[0]


def test_salvage_counts_what_the_metadata_promised(write_bag: WriteBag) -> None:
    path = write_bag('mcap', count=40)
    file = storage(path)
    file.write_bytes(file.read_bytes()[:-1500])
    with pytest.raises(InputError):
        read_all(path)
    count, lost = read_all(path, skip_bad=True)
    assert f'{40 - count} of 40 messages are lost' in ' '.join(lost) or count == 40


def test_bad_checksum(write_bag: WriteBag) -> None:
    file = write_bag('mcap_crc', count=10)
    assert read_all(file) == (10, [])
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x10
    file.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r'drive\.mcap \(\d+ bytes\) is damaged: CRCValidation'):
        list(read_messages(file))
    count, lost = read_all(file, skip_bad=True)
    assert 0 < count < 10 and lost


def test_missing_and_damaged_metadata(write_bag: WriteBag) -> None:
    path = write_bag('mcap')
    metadata = path / 'metadata.yaml'
    text = metadata.read_text()
    metadata.unlink()
    with pytest.raises(InputError, match=r'metadata\.yaml is missing'):
        read_all(path)
    assert read_all(path, skip_bad=True) == (5, [])
    assert read_all(storage(path)) == (5, [])  # the file alone needs none
    for damaged in ('', '[', 'a: 1', text[:200], text.replace('message_count', 'x')):
        metadata.write_text(damaged)
        with pytest.raises(InputError, match=r'metadata\.yaml'):
            read_all(path)
    metadata.write_text(text.replace('mcap.mcap', 'gone.mcap'))
    with pytest.raises(InputError, match='not there'):
        read_all(path)


def test_fewer_messages_than_promised(write_bag: WriteBag) -> None:
    path = write_bag('sqlite3')
    metadata = path / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('message_count: 5', 'message_count: 8'))
    with pytest.raises(InputError, match='3 of 8 messages are lost'):
        read_all(path)
    count, lost = read_all(path, skip_bad=True)
    assert count == 5 and '3 of 8' in lost[0]


@pytest.mark.parametrize('content', [b'', b'garbage' * 100, b'SQLite format 3\0' + b'\0' * 500,
                                     b'\x89MCAP0\r\n', b'#ROSBAG V2.0\n' + b'\xff' * 300])
@pytest.mark.parametrize('suffix', ['.mcap', '.db3', '.bag'])
def test_garbage(tmp_path: Path, suffix: str, content: bytes) -> None:
    pytest.importorskip('rosbags', reason='rosbags missing')
    file = tmp_path / f'x{suffix}'
    file.write_bytes(content)
    with pytest.raises(InputError, match=f'x{suffix}'):
        read_all(file)


@pytest.mark.parametrize('form', ['mcap', 'sqlite3', 'mcap_crc'])
def test_flipped_bits_never_escape_as_another_error(write_bag: WriteBag, form: str) -> None:
    path = write_bag(form)
    file = path if path.is_file() else storage(path)
    data = file.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(25):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 5):
            damaged[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(bytes(damaged))
        for skip_bad in (False, True):
            try:
                count, lost = read_all(path, skip_bad)
            except InputError as error:
                assert str(error)
            else:
                assert count == 5 or lost


def test_a_message_that_is_no_cloud(write_bag: WriteBag, tmp_path: Path) -> None:
    from mcap.writer import Writer
    good = [message.data for message in read_messages(write_bag('mcap'), ['/points'])]
    file = tmp_path / 'mixed.mcap'
    with file.open('wb') as stream:
        writer = Writer(stream)
        writer.start(profile='ros2')
        schema = writer.register_schema('sensor_msgs/msg/PointCloud2', 'ros2msg', b'')
        channel = writer.register_channel('/points', 'cdr', schema)
        for index, data in enumerate([good[0], b'\0\1\0\0garbage', good[1][:100], good[2]]):
            writer.add_message(channel, index, data, index)
        writer.finish()
    with pytest.raises(InputError, match=r'mixed\.mcap, /points, message 1: 11 bytes are no'):
        read_all(file)
    count, lost = read_all(file, skip_bad=True)
    assert count == 2 and len(lost) == 2


def test_damaged_truth(write_bag: WriteBag) -> None:
    path = write_bag('mcap', truth=True)
    truth = path / 'ground_truth.jsonl'
    lines = truth.read_text().splitlines()
    for bad in ('{', '{"stamp": 1}', lines[0].replace('[5.0', '["a"'),
                lines[0].replace('"yaw": [0.1]', '"yaw": [0.1, 2]')):
        truth.write_text('\n'.join([lines[0], bad]))
        with pytest.raises(InputError, match=r'ground_truth\.jsonl, line 2'):
            open_recording(path)
