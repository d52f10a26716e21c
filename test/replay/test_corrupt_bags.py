"""Row 31 of the fault table: a damaged recording is refused; with --salvage its rest is played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
import json
from pathlib import Path

import pytest
from random_recordings import COUNT
from random_recordings import TOPIC
from random_recordings import write_bag
from random_recordings import write_ros1_bag
from typer.testing import CliRunner

from eq_core.errors import InputError
from eq_eval.cli.main import app
from eq_eval.replay.salvage import check_bag
from eq_eval.replay.salvage import salvage_bag
from eq_eval.replay.source import open_source

rosbags = pytest.importorskip('rosbags')


def storage_file(bag: Path) -> Path:
    return next(file for file in bag.iterdir() if file.suffix in ('.mcap', '.db3'))


def truncate(file: Path, share: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:int(len(data) * share)])


def cut_off(bag: Path) -> None:
    truncate(storage_file(bag), 0.5)


def overwrite(bag: Path) -> None:
    """Breaks the bytes in the middle of a file whose writer has stored a checksum."""
    file = storage_file(bag)
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle:middle + 200] = bytes(byte ^ 0xff for byte in data[middle:middle + 200])
    file.write_bytes(data)


def with_checksums(bag: Path) -> None:
    """Rewrites an MCAP file with the reference writer, one chunk per cloud, with checksums."""
    from mcap.reader import make_reader
    from mcap.writer import Writer
    file = storage_file(bag)
    with file.open('rb') as stream:
        rows = list(make_reader(stream).iter_messages())
    with file.open('wb') as stream:
        writer = Writer(stream, chunk_size=50_000)
        writer.start('ros2')
        schema, channel, _ = rows[0]
        schema_id = writer.register_schema(schema.name, schema.encoding, schema.data)
        channel_id = writer.register_channel(channel.topic, channel.message_encoding, schema_id)
        for _, _, message in rows:
            writer.add_message(channel_id, message.log_time, message.data, message.publish_time)
        writer.finish()


@pytest.fixture(params=['mcap', 'sqlite3'])
def bag(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    yield write_bag(tmp_path / 'bag', request.param)


def test_a_sound_bag_is_accepted(bag: Path, tmp_path: Path) -> None:
    check_bag(bag)
    source = open_source(bag, tmp_path / 'out')
    assert (source.lost, source.damages) == (0, ())
    assert sum(1 for _ in source.recording.scans()) == COUNT


def test_a_bag_that_was_cut_off_is_refused(bag: Path, tmp_path: Path) -> None:
    cut_off(bag)
    with pytest.raises(InputError, match=r'damaged: .*--salvage'):
        open_source(bag, tmp_path / 'out')


def test_salvage_plays_the_rest_and_counts_the_lost(bag: Path, tmp_path: Path) -> None:
    cut_off(bag)
    source = open_source(bag, tmp_path / 'out', salvage=True)
    scans = list(source.recording.scans())
    assert 0 < len(scans) < COUNT
    assert len(scans) + source.lost == COUNT
    assert source.damages
    whole = list(open_source(write_bag(tmp_path / 'whole'), tmp_path).recording.scans())
    for saved, original in zip(scans, whole, strict=False):
        assert (saved.points.xyz == original.points.xyz).all()


def test_a_wrong_checksum_is_found_and_costs_one_chunk(tmp_path: Path) -> None:
    path = write_bag(tmp_path / 'bag')
    with_checksums(path)
    check_bag(path)
    overwrite(path)
    with pytest.raises(InputError, match='damaged'):
        check_bag(path)
    saved = salvage_bag(path, tmp_path / 'saved')
    assert saved.saved[TOPIC] >= COUNT - 2
    assert saved.saved[TOPIC] + saved.lost(TOPIC) == COUNT


def test_a_bag_without_metadata_is_played_only_with_salvage(bag: Path, tmp_path: Path) -> None:
    (bag / 'metadata.yaml').unlink()
    with pytest.raises(InputError, match=r'metadata\.yaml is missing'):
        open_source(bag, tmp_path)
    source = open_source(bag, tmp_path, salvage=True)
    assert sum(1 for _ in source.recording.scans()) == COUNT


def test_fewer_messages_than_promised_are_noticed(bag: Path, tmp_path: Path) -> None:
    metadata = bag / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace(
        f'message_count: {COUNT}', f'message_count: {COUNT + 3}'))
    with pytest.raises(InputError, match=f'promises {COUNT + 3} messages'):
        check_bag(bag)
    assert open_source(bag, tmp_path, salvage=True).lost == 3


@pytest.mark.parametrize('content', [b'', b'\x00' * 100, b'SQLite format 3\x00', b'\x89MCAP0\r\n'])
@pytest.mark.parametrize('suffix', ['.mcap', '.db3'])
def test_files_that_are_no_bags_fail_in_words(
        tmp_path: Path, content: bytes, suffix: str) -> None:
    file = tmp_path / f'false{suffix}'
    file.write_bytes(content)
    with pytest.raises(InputError, match='false'):
        open_source(file, tmp_path)
    with pytest.raises(InputError, match='nothing can be salvaged'):
        open_source(file, tmp_path, salvage=True)


def test_a_topic_that_is_not_there_is_an_error(bag: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'no topic /other, found /points'):
        open_source(bag, tmp_path, '/other')


@pytest.mark.parametrize('share', [0.3, 0.8, 0.999])
def test_what_is_left_of_a_ros1_bag_is_played(tmp_path: Path, share: float) -> None:
    path = write_ros1_bag(tmp_path / 'drive.bag')
    whole = [scan.points.xyz for scan in open_source(path, tmp_path).recording.scans()]
    truncate(path, share)
    source = open_source(path, tmp_path / 'out', salvage=True)
    scans = list(source.recording.scans())
    assert source.damages
    assert source.lost >= 1
    assert int(COUNT * share) - 1 <= len(scans) <= COUNT
    for scan, xyz in zip(scans, whole, strict=False):
        assert (scan.points.xyz == xyz).all()


def test_a_ros1_bag_is_played_whole_or_not_at_all(tmp_path: Path) -> None:
    path = write_ros1_bag(tmp_path / 'drive.bag')
    source = open_source(path, tmp_path)
    assert sum(1 for _ in source.recording.scans()) == COUNT
    assert source.clouds()(next(source.recording.scans())) is None
    truncate(path, 0.5)
    with pytest.raises(InputError, match='drive'):
        open_source(path, tmp_path)


def test_the_command_line_fails_and_starts_no_node(tmp_path: Path) -> None:
    pytest.importorskip('rclpy')
    path = write_bag(tmp_path / 'bag')
    cut_off(path)
    out = tmp_path / 'out'
    done = CliRunner().invoke(app, ['replay', str(path), '--out', str(out), '--json'])
    assert isinstance(done.exception, InputError)
    assert done.exit_code != 0
    assert not (out / 'node.log').exists()


@pytest.mark.usefixtures('node_path')
def test_the_report_tells_what_was_lost(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('vision_msgs')
    from eq_eval.replay.nodes import DETECTOR
    from eq_eval.replay.runner import ReplayOptions
    from eq_eval.replay.workflow import Job
    from eq_eval.replay.workflow import run_job
    path = write_bag(tmp_path / 'bag')
    cut_off(path)
    job = Job(path, tmp_path / 'out', 'eq replay bag --salvage',
              ReplayOptions(node=replace(DETECTOR, module='echo_detector')), salvage=True)
    result = run_job(job)
    assert result['accounted'] is True
    assert result['scans_in_bag'] == COUNT
    assert result['received'] == result['published'] == COUNT - result['lost_in_bag']
    assert 0 < result['lost_in_bag'] < COUNT
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert f"{result['lost_in_bag']} of {COUNT} scans are lost" in page
    assert json.loads((tmp_path / 'out' / 'result.json').read_text())['damages']
