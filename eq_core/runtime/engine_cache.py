"""Engines that were built on this machine, found again only if nothing they hang on has changed.

An engine is a program: whoever can replace it can run code as the robot. So the folder belongs to
the user alone, the name of an engine is the hash of everything that it was built from and for
(its identity), and its bytes are checked against the side-car before they are given out. No
engine is ever looked for under any other name than the one computed at this very moment.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
import json
import os
from pathlib import Path
import platform
import time
from typing import Any

from eq_core.errors import BackendError
from eq_core.runtime.cache_folder import CacheFolder
from eq_core.runtime.integrity import canonical_json
from eq_core.runtime.integrity import digest

Identity = Mapping[str, Any]
LARGEST_CACHE = 4 << 30  # bytes
SIDE_CAR_FIELDS = {'identity', 'engine_sha256', 'build_seconds', 'host'}


def default_folder() -> Path:
    """Folder of the user's engines.

    Raises:
        BackendError: The user has none.
    """
    base = os.environ.get('XDG_CACHE_HOME', '')
    try:
        home = Path(base) if os.path.isabs(base) else Path.home() / '.cache'
    except RuntimeError as error:  # a user that the system does not know, as in some containers
        raise BackendError('neither XDG_CACHE_HOME nor HOME says where engines are kept'
                           ) from error
    return home / 'eq_stack' / 'engines'


@dataclass(frozen=True)
class Engine:
    """An engine that may be loaded.

    Attributes:
        data: Its bytes.
        key: Hash of its identity.
        cached: Whether it was there already.
        seconds: How long it took to build, now or then [s].
        notes: What a user should know, e.g. why it was built again.
    """

    data: bytes
    key: str
    cached: bool
    seconds: float
    notes: tuple[str, ...] = field(default=())


def key_of(identity: Identity) -> str:
    """The name of an engine: SHA-256 of its identity in canonical JSON.

    >>> key_of({'gpu': 'A', 'model': 'B'}) == key_of({'model': 'B', 'gpu': 'A'})
    True
    """
    return digest(canonical_json(dict(identity)))


class EngineCache:
    """Gives out engines that fit, and builds those that are missing once, whoever asks."""

    def __init__(self, folder: Path | None = None, largest: int = LARGEST_CACHE) -> None:
        """Names the folder; nothing is made or read before it is needed.

        Args:
            folder: Where engines are kept; `default_folder` if None.
            largest: Size beyond which those go that were not used for longest [bytes].
        """
        self.files = CacheFolder(folder or default_folder(), largest)

    def obtain(self, identity: Identity, build: Callable[[], bytes], policy: str = 'if_missing',
               waiting: Callable[[], None] = lambda: None,
               others: Sequence[Identity] = ()) -> Engine:
        """Finds an engine or builds it.

        Args:
            identity: All that the engine is built from and for, as JSON knows it; ``model.name``,
                ``model.file`` and ``backend.name`` tell which engines are kin.
            build: Makes its bytes.
            policy: ``'never'`` builds nothing, ``'if_missing'`` builds what does not fit,
                ``'always'`` builds anew.
            waiting: Called if another process is building at present.
            others: Identities of engines that would do as well, if one is there.

        Raises:
            BackendError: There is no engine and none may be built; the text names what differs.
                Or `build` failed.
        """
        key = key_of(identity)
        problem = self.files.problem()
        if not problem and policy != 'always':
            for each in (identity, *others):
                found = self.find(each)
                if isinstance(found, Engine):
                    return found
        if policy == 'never':
            raise BackendError(f'no engine may be built (build_policy never): '
                               f'{problem or self._why_missing([identity, *others])}')
        if problem:
            return self._in_memory(key, build, problem)
        try:
            with self.files.locked(waiting):
                return self._build_locked([identity, *others], build, policy)
        except OSError as error:
            return self._in_memory(key, build, f'{self.files.path}: {error.strerror or error}')

    def find(self, identity: Identity) -> Engine | str:
        """An engine whose side-car and bytes are right, or what is wrong; empty if none."""
        key = key_of(identity)
        data, side_car = self.files.read(f'{key}.engine'), self.files.read(f'{key}.json')
        if data is None or side_car is None:
            return '' if data is side_car else (
                f'{key}: expected an engine and its side-car, found one of them')
        entry = _parse(side_car)
        if entry is None:
            return f'{key}: the side-car is not one'
        differing = differences(identity, entry['identity'])
        if differing:
            return f'{key}: the side-car was altered: {differing[0]}'
        if digest(data) != entry['engine_sha256']:
            return (f'{key}: expected engine_sha256 {entry["engine_sha256"]}, found '
                    f'{digest(data)} ({len(data)} bytes)')
        self.files.touch(key)
        return Engine(data, key, True, float(entry['build_seconds']))

    def extra(self, stem: str, suffix: str) -> bytes:
        """What was kept beside an engine to make its next start or build quicker, or nothing."""
        if self.files.problem():
            return b''
        head, _, data = (self.files.read(f'{stem}{suffix}') or b'').partition(b'\n')
        return data if head == digest(data).encode() else b''

    def keep_extra(self, stem: str, suffix: str, data: bytes) -> None:
        """Keeps such a thing if that is possible; nothing is wrong if it is not."""
        if not self.files.problem():
            with suppress(OSError):
                self.files.write(f'{stem}{suffix}', digest(data).encode() + b'\n' + data)

    def _build_locked(self, identities: Sequence[Identity], build: Callable[[], bytes],
                      policy: str) -> Engine:
        """Builds the first one, unless another process has done so while this one waited."""
        identity = identities[0]
        found = self.find(identity)
        if isinstance(found, Engine) and policy != 'always':
            return found
        notes = [] if isinstance(found, Engine) else self._why_again(identities, found)
        key, start = key_of(identity), time.perf_counter()
        with _building():
            data = build()
        seconds = time.perf_counter() - start
        entry = {'identity': dict(identity), 'engine_sha256': digest(data),
                 'build_seconds': seconds, 'host': platform.node()}
        try:
            self.files.write(f'{key}.engine', data)
            self.files.write(f'{key}.json', canonical_json(entry))
            self.files.shrink(keep=key)
        except OSError as error:
            notes.append(_memory_only(f'{self.files.path}: {error.strerror or error}'))
        return Engine(data, key, False, seconds, tuple(notes))

    def _in_memory(self, key: str, build: Callable[[], bytes], problem: str) -> Engine:
        start = time.perf_counter()
        data = build()
        return Engine(data, key, False, time.perf_counter() - start, (_memory_only(problem),))

    def _why_missing(self, identities: Sequence[Identity]) -> str:
        damages = [found for found in map(self.find, identities) if isinstance(found, str)]
        return next(filter(None, damages), '') or self._nearest(identities) or (
            f'there is no engine of {_kin(identities[0])[0]} in {self.files.path}')

    def _why_again(self, identities: Sequence[Identity], damage: str) -> list[str]:
        reason = damage or self._nearest(identities)
        return [f'the engine was built again: {reason}'] if reason else []

    def _nearest(self, identities: Sequence[Identity]) -> str:
        """How the most similar engine of the same model and backend differs; empty if none."""
        kin: list[tuple[int, str]] = []
        for name in self.files.names('.json'):
            entry = _parse(self.files.read(name) or b'')
            if entry is not None and _kin(entry['identity']) == _kin(identities[0]):
                each = [differences(identity, entry['identity']) for identity in identities]
                kin += [(len(lines), '; '.join(lines)) for lines in each]
        return min(kin)[1] if kin else ''


def differences(expected: Identity, found: Identity) -> list[str]:
    """The fields in which two identities differ, a line each.

    >>> differences({'gpu': {'name': 'A'}}, {'gpu': {'name': 'B'}})
    ["gpu.name is 'A', that of the engine there is 'B'"]
    """
    ours, theirs = _flat(expected), _flat(found)
    return [f'{name} is {ours.get(name)!r}, that of the engine there is {theirs.get(name)!r}'
            for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]


@contextmanager
def _building() -> Iterator[None]:
    try:
        yield
    except OSError as error:  # else it would be taken for one of the cache's folder
        raise BackendError(f'the engine could not be built: {error}') from error


def _memory_only(problem: str) -> str:
    return f'the engine is not kept and has to be built at every start: {problem}'


def _flat(value: Any, prefix: str = '') -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {prefix: json.loads(json.dumps(value))}  # tuples are lists to JSON
    return {name: item for key, part in value.items()
            for name, item in _flat(part, f'{prefix}.{key}' if prefix else str(key)).items()}


def _kin(identity: Identity) -> tuple[Any, ...]:
    flat = _flat(identity)
    return tuple(flat.get(name) for name in ('model.name', 'model.file', 'backend.name'))


def _parse(data: bytes) -> dict[str, Any] | None:
    """A side-car, or None if the bytes are none."""
    try:
        entry = json.loads(data)
    except (ValueError, RecursionError):
        return None
    right = (isinstance(entry, dict) and set(entry) == SIDE_CAR_FIELDS
             and isinstance(entry['identity'], dict)
             and isinstance(entry['build_seconds'], int | float))
    return entry if right else None
