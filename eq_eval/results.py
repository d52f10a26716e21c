"""Results of full runs, kept in ``bench/results/<name>.json`` with all that made them."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from datetime import UTC
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
import json
import os
from pathlib import Path
import platform
import re
import shlex
import subprocess
from typing import Any

import numpy as np

from eq_core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ('numpy', 'onnxruntime', 'openvino', 'torch', 'open3d-cpu', 'rclpy', 'scipy')
_NAME = re.compile(r'[a-z0-9_]+')
_ABSOLUTE = re.compile(r'(?<![\w.~/:])/[\w.+@-]+(?:/[\w.+@-]+)*/?')


def store(name: str, result: Mapping[str, Any], command: Sequence[str], seed: int | None,
          folder: Path | None = None) -> Path:
    """Writes one result as a whole or not at all; an older one of that name is replaced.

    Args:
        name: Name of the file without its ending, such as ``'bench_detector'``.
        result: What was measured; NumPy numbers and arrays are written as plain ones.
        command: The command line that repeats it, such as ``['eq', 'bench', 'detector']``.
        seed: Seed of everything random, None if nothing was.
        folder: Where to write; `bench/results` of the checkout, or of the working directory if
            the package is installed elsewhere.

    Returns:
        The file. It holds no path of this machine.

    Raises:
        ConfigError: `name` is not made of small letters, digits and underscores.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f'the name of a result must match {_NAME.pattern}, got {name!r}')
    if folder is None:
        folder = (ROOT if (ROOT / 'package.xml').is_file() else Path.cwd()) / 'bench' / 'results'
    record = {'name': name, 'result': result, 'command': shlex.join(command), 'seed': seed,
              'commit': commit(), 'machine': machine(),
              'date': datetime.now(UTC).isoformat(timespec='seconds')}
    text = json.dumps(_portable(record), indent=2, sort_keys=True, allow_nan=False)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f'.{name}.{os.getpid()}.json'
    partial.write_text(text + '\n', encoding='utf-8')
    return partial.replace(folder / f'{name}.json')


def commit() -> str | None:
    """Commit of the checkout, with ``-modified`` if tracked files differ; None without git."""
    try:
        head = _git('rev-parse', 'HEAD')
        return head + ('-modified' if _git('status', '--porcelain', '-uno') else '')
    except (OSError, subprocess.SubprocessError):
        return None


def machine() -> dict[str, Any]:
    """What a figure depends on besides the code: processor, cores, memory, library versions."""
    return {'cpu': _cpu_model(), 'cores': os.cpu_count(), 'memory_gb': _memory_gb(),
            'system': f'{platform.system()} {platform.machine()}',
            'python': platform.python_version(),
            'libraries': {name: found for name in LIBRARIES if (found := _version(name))}}


def without_machine_paths(text: str) -> str:
    """Replaces absolute paths: by the relative path inside the checkout, else by the last name."""
    def shorten(match: re.Match[str]) -> str:
        path = Path(match[0])
        if path.is_relative_to(ROOT):
            return str(path.relative_to(ROOT))
        # A topic such as /lidar/points is no path: its first part is no folder of this machine.
        return path.name if Path(*path.parts[:2]).is_dir() else match[0]
    return _ABSOLUTE.sub(shorten, text)


def _portable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _portable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _portable(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_portable(item) for item in value]
    if isinstance(value, np.generic):
        return _portable(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None  # JSON knows no NaN
    return without_machine_paths(str(value)) if isinstance(value, (str, Path)) else value


def _git(*arguments: str) -> str:
    return subprocess.run(['git', '-C', str(ROOT), *arguments], check=True, capture_output=True,
                          text=True, timeout=20).stdout.strip()


def _cpu_model() -> str:
    try:
        text = Path('/proc/cpuinfo').read_text(encoding='utf-8', errors='replace')
    except OSError:
        text = ''
    model = re.search(r'^model name\s*:\s*(.+)$', text, re.MULTILINE)
    return model[1].strip() if model else platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
