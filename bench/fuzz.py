"""Feeds readers of what comes from outside with made-up bytes; for a nightly run.

Each reader may answer or refuse with an error of ours; anything else ends the run with the bytes
that did it. Needs `pip install atheris` (Linux); `--seconds` bounds the time. Inputs that reached
new code are kept in runs/fuzz/<reader> and are where the next run begins.

    .venv/bin/python bench/fuzz.py pointcloud2 --seconds 600
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import json
from pathlib import Path
import struct
import sys
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
CORPUS = ROOT / 'runs' / 'fuzz'
NAMES = ('x', 'y', 'z', 'intensity', 't', 'rgb', 'x', '')     # of fields; one twice, one empty
CLOUD = struct.Struct('<HHHIBB')    # height, width, point_step, row_step, is_bigendian, fields
FIELD = struct.Struct('<BHBB')      # name, offset, datatype, count
MAP = struct.Struct('<IIfddddB')    # height, width, resolution, x, y, z and w of a turn, frame


def pointcloud2(data: bytes) -> None:
    """Decodes a cloud."""
    from eq_core.errors import EqError
    from eq_ros.pointcloud2 import decode
    if len(data) < CLOUD.size:
        return
    height, width, step, row, big, count = CLOUD.unpack_from(data)
    rest = data[CLOUD.size:]
    fields = []
    for _ in range(min(count, len(rest) // FIELD.size, 8)):
        name, offset, datatype, number = FIELD.unpack_from(rest)
        rest = rest[FIELD.size:]
        fields.append(SimpleNamespace(name=NAMES[name % len(NAMES)], offset=offset,
                                      datatype=datatype, count=number))
    message = SimpleNamespace(
        header=_header('lidar'), height=height, width=width, fields=fields, point_step=step,
        row_step=row, is_bigendian=bool(big), data=rest, is_dense=bool(big & 2))
    try:
        decode(message)
    except EqError:
        return


def occupancy_map(data: bytes) -> None:
    """Decodes a map and an update of it."""
    from eq_core.errors import EqError
    from eq_ros.maps import apply_update
    from eq_ros.maps import decode_map
    if len(data) < MAP.size:
        return
    height, width, resolution, x, y, turn_z, turn_w, frame = MAP.unpack_from(data)
    cells = [byte - 256 if byte > 127 else byte for byte in data[MAP.size:]]
    pose = SimpleNamespace(position=SimpleNamespace(x=x, y=y, z=0.),
                           orientation=SimpleNamespace(x=0., y=0., z=turn_z, w=turn_w))
    header = _header('map' if frame else '')
    message = SimpleNamespace(header=header, data=cells, info=SimpleNamespace(
        height=height, width=width, resolution=resolution, origin=pose))
    try:
        world = decode_map(message)
        apply_update(world, SimpleNamespace(
            header=header, x=frame >> 1, y=height // 2, width=width, height=1,
            data=cells[:width]))
    except EqError:
        return


def manifest(data: bytes) -> None:
    """Reads a manifest."""
    from eq_core.errors import EqError
    from eq_core.runtime import Manifest
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        Manifest.from_dict(body)
    except EqError:
        return


READERS: dict[str, Callable[[bytes], None]] = {
    'pointcloud2': pointcloud2, 'occupancy_map': occupancy_map, 'manifest': manifest}


def first_inputs(reader: str) -> list[bytes]:
    """Inputs that are right, to begin with."""
    if reader == 'pointcloud2':
        fields = b''.join(FIELD.pack(index, 4 * index, 7, 1) for index in range(4))
        return [CLOUD.pack(1, 2, 16, 32, 0, 4) + fields + struct.pack('<8f', *range(8))]
    if reader == 'occupancy_map':
        return [MAP.pack(2, 3, .05, -1., 2., 0., 1., 1) + bytes((0, 100, 255, 50, 0, 0))]
    body = [json.loads(path.read_text()) for path in sorted(ROOT.glob('models/*/manifest.json'))]
    return [json.dumps({key: value for key, value in each.items()
                        if key not in ('schema_version', 'checksum')}).encode() for each in body]


def _header(frame: str) -> Any:
    return SimpleNamespace(frame_id=frame, stamp=SimpleNamespace(sec=1, nanosec=2))


def main() -> None:
    """Runs one reader."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('reader', choices=sorted(READERS))
    parser.add_argument('--seconds', type=int, default=600)
    arguments = parser.parse_args()
    import atheris
    with atheris.instrument_imports(include=['eq_core', 'eq_ros']):
        import eq_core.runtime  # noqa: F401
        import eq_ros.maps
        import eq_ros.pointcloud2  # noqa: F401
    folder = CORPUS / arguments.reader
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(first_inputs(arguments.reader)):
        (folder / f'first_{number}').write_bytes(data)
    atheris.Setup([sys.argv[0], f'-max_total_time={arguments.seconds}', str(folder)],
                  READERS[arguments.reader])
    atheris.Fuzz()


if __name__ == '__main__':
    main()
