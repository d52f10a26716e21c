"""Packs an installed ament tree as a wheel, so that pip can install generated messages."""

from __future__ import annotations

import base64
from collections.abc import Iterator
import hashlib
from pathlib import Path
import sysconfig
import zipfile

_TIMESTAMP = (2020, 1, 1, 0, 0, 0)  # equal trees give equal wheels
_SKIPPED = ('.c', '.h', '.hpp', '.pyc')  # sources of the extensions, and pip compiles itself


def wheel_tag() -> str:
    """Tag of a wheel with compiled code for this interpreter, such as cp311-cp311-linux_x86_64."""
    version = sysconfig.get_config_var('py_version_nodot')
    platform = sysconfig.get_platform().replace('-', '_').replace('.', '_')
    return f'cp{version}-cp{version}-{platform}'


def pack_wheel(tree: Path, name: str, version: str, tag: str, folder: Path) -> Path:
    """Writes a wheel of an installed tree.

    Python packages go to site-packages; libraries and the share folder (ament index, interface
    definitions, CMake files) go to the prefix of the environment, where ROS looks for them.

    Args:
        tree: Prefix into which `cmake --install` has written.
        name: Name of the package.
        version: Version of the package.
        tag: Wheel tag, see `wheel_tag`.
        folder: Where the wheel is written.

    Returns:
        Path of the wheel.
    """
    folder.mkdir(parents=True, exist_ok=True)
    info = f'{name}-{version}.dist-info'
    entries = dict(_entries(tree, f'{name}-{version}.data/data'))
    entries[f'{info}/METADATA'] = _metadata(name, version).encode()
    entries[f'{info}/WHEEL'] = _wheel_file(tag).encode()
    record = ''.join(f'{path},{_digest(data)},{len(data)}\n' for path, data in entries.items())
    entries[f'{info}/RECORD'] = f'{record}{info}/RECORD,,\n'.encode()
    target = folder / f'{name}-{version}-{tag}.whl'
    partial = target.with_suffix('.partial')
    with zipfile.ZipFile(partial, 'w', zipfile.ZIP_DEFLATED) as archive:
        for path, data in entries.items():
            item = zipfile.ZipInfo(path, _TIMESTAMP)
            item.external_attr = (0o755 if path.endswith('.so') else 0o644) << 16
            archive.writestr(item, data, zipfile.ZIP_DEFLATED)
    return partial.replace(target)  # a reader sees the whole wheel or none


def _entries(tree: Path, data_folder: str) -> Iterator[tuple[str, bytes]]:
    """Yields the path inside the wheel and the content of every file worth keeping."""
    for path in sorted(tree.rglob('*')):
        parts = path.relative_to(tree).parts
        if not path.is_file() or parts[0] == 'include' or path.suffix in _SKIPPED:
            continue
        for marker in ('site-packages', 'dist-packages'):
            if marker in parts:
                yield '/'.join(parts[parts.index(marker) + 1:]), path.read_bytes()
                break
        else:
            yield '/'.join((data_folder, *parts)), path.read_bytes()


def _digest(data: bytes) -> str:
    """Hash as the RECORD file wants it (PEP 376, PEP 427)."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=')
    return f'sha256={digest.decode()}'


def _metadata(name: str, version: str) -> str:
    return (f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n'
            'Summary: ROS 2 interfaces generated for this machine\n')


def _wheel_file(tag: str) -> str:
    return f'Wheel-Version: 1.0\nGenerator: eq_bootstrap\nRoot-Is-Purelib: false\nTag: {tag}\n'
