"""The manifest of a model bundle: everything that is known about a model but its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields
import re
from typing import Any

from eq_core.errors import BundleError
from eq_core.errors import ConfigError
from eq_core.runtime.representations import Representation
from eq_core.runtime.representations import representation_from_dict
from eq_core.runtime.representations import representation_to_dict

SCHEMA_VERSION = 1
DTYPES = ('float32', 'float64', 'int32', 'int64')
GRAPHS: Mapping[str, str] = {'fp32': 'model.onnx', 'fp16': 'model.fp16.onnx',
                             'int8': 'model.int8.onnx'}
PRECISIONS = tuple(GRAPHS)
REQUIRED_FILES = ('golden.npz', 'model.onnx', 'model.safetensors')
LARGEST_TOLERANCE = 0.1  # beyond it, acceptance would accept anything

_FILE_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_.-]*')
_GROUP = re.compile(r'([CD])([1-9][0-9]{0,3})')
_SHA256 = re.compile(r'[0-9a-f]{64}')


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of the model.

    Attributes:
        name: Name in the graph.
        dtype: One of `DTYPES`.
        shape: Static shape.
        representation: How the tensor turns with the world.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    representation: Representation

    def __post_init__(self) -> None:
        """Checks every field."""
        _text('tensor name', self.name)
        if self.dtype not in DTYPES:
            raise BundleError(f'{self.name}: dtype must be one of {DTYPES}, got {self.dtype!r}')
        if not all(_is_integer(size) and size > 0 for size in self.shape):
            raise BundleError(f'{self.name}: shape must hold positive integers, got {self.shape}')
        self.representation.check(self.shape)

    @classmethod
    def from_dict(cls, data: Any) -> TensorSpec:
        """Reads the JSON form."""
        values = _exactly(cls, data, 'tensor')
        shape = tuple(_list('shape', values['shape']))
        return cls(values['name'], values['dtype'], shape,
                   representation_from_dict(values['representation']))

    def to_dict(self) -> dict[str, Any]:
        """Writes the JSON form."""
        return {'name': self.name, 'dtype': self.dtype, 'shape': list(self.shape),
                'representation': representation_to_dict(self.representation)}


@dataclass(frozen=True)
class SymmetryGroup:
    """The group that the model claims: C_N, N yaw rotations, or D_N, those and the mirror."""

    name: str
    order: int

    def __post_init__(self) -> None:
        """Checks that name and order tell the same."""
        known = _GROUP.fullmatch(self.name) if isinstance(self.name, str) else None
        orders = known and int(known[2]) * (2 if known[1] == 'D' else 1)
        if not _is_integer(self.order) or self.order != orders:
            raise BundleError('group must be one such as C4 with order 4 or D4 with order 8, '
                              f'got {self.name!r} with order {self.order!r}')

    def grid_elements(self) -> tuple[tuple[int, bool], ...]:
        """The non-trivial elements that a square grid carries exactly.

        Returns:
            Pairs of quarter turns and whether the world is mirrored before.
        """
        mirrors = (False, True) if self.name.startswith('D') else (False,)
        rotations = self.order // len(mirrors)
        return tuple((turns, mirror) for mirror in mirrors for turns in range(4)
                     if turns * rotations % 4 == 0 and (turns or mirror))


@dataclass(frozen=True)
class Tolerance:
    """Largest errors, relative to the largest magnitude of an output, that are accepted."""

    golden: float
    equivariance: float

    def __post_init__(self) -> None:
        """Checks the ranges."""
        for name in ('golden', 'equivariance'):
            value = getattr(self, name)
            if not isinstance(value, float) or not 0. < value <= LARGEST_TOLERANCE:
                raise BundleError(f'tolerance {name} must be a float in (0, {LARGEST_TOLERANCE}], '
                                  f'got {value!r}')


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says; the checksum and the version are checked where it is read.

    Attributes:
        name: Name of the model.
        task: What it does, e.g. ``'lidar_detection'``.
        sha256: Hex digest of every file of the bundle but the manifest.
        inputs: Tensors that go in, in the order of the graph.
        outputs: Tensors that come out, in the order of the graph.
        group: The symmetry the model claims.
        tolerance: Accepted errors per precision; ``'fp32'`` always.
        config: Every constant of pre- and post-processing.
        classes: Names that labels index.
        opset: Version of the ONNX operator set of the graph.
        license: SPDX identifier of the weights.
        training: How the weights came to be: command, seed, data, commit, ...
    """

    name: str
    task: str
    sha256: Mapping[str, str]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    group: SymmetryGroup
    tolerance: Mapping[str, Tolerance]
    config: Mapping[str, Any]
    classes: tuple[str, ...]
    opset: int
    license: str
    training: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Checks every field."""
        for name in ('name', 'task', 'license'):
            _text(name, getattr(self, name))
        _check_files(self.sha256)
        _check_tensors(self.inputs, self.outputs)
        if 'fp32' not in self.tolerance or not set(self.tolerance) <= set(PRECISIONS):
            raise BundleError(f'tolerance must name fp32 and may name {PRECISIONS}, '
                              f'got {sorted(self.tolerance)}')
        for label in self.classes:
            _text('class name', label)
        if not _is_integer(self.opset) or self.opset < 1:
            raise BundleError(f'opset must be a positive integer, got {self.opset!r}')
        for name in ('config', 'training'):
            _mapping(name, getattr(self, name))

    @classmethod
    def from_dict(cls, data: Any) -> Manifest:
        """Reads the JSON form (without schema_version and checksum).

        Raises:
            BundleError: A field is unknown, missing, ill-typed or out of range.
        """
        values = _exactly(cls, data, 'manifest')
        for key in ('inputs', 'outputs'):
            values[key] = tuple(TensorSpec.from_dict(item) for item in _list(key, values[key]))
        values['group'] = SymmetryGroup(**_exactly(SymmetryGroup, values['group'], 'group'))
        values['tolerance'] = {
            precision: Tolerance(**_exactly(Tolerance, item, f'tolerance {precision}'))
            for precision, item in _mapping('tolerance', values['tolerance']).items()}
        values['classes'] = tuple(_list('classes', values['classes']))
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Writes the JSON form (without schema_version and checksum)."""
        return {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            'inputs': [spec.to_dict() for spec in self.inputs],
            'outputs': [spec.to_dict() for spec in self.outputs],
            'group': {'name': self.group.name, 'order': self.group.order},
            'tolerance': {key: {'golden': item.golden, 'equivariance': item.equivariance}
                          for key, item in self.tolerance.items()},
            'classes': list(self.classes),
        }


def _check_files(sha256: Any) -> None:
    for name, digest in _mapping('sha256', sha256).items():
        # A plain name cannot leave the bundle's directory.
        if not _FILE_NAME.fullmatch(name) or name == 'manifest.json':
            raise BundleError(f'sha256 must name plain files of the bundle, got {name!r}')
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise BundleError(f'sha256 of {name} must be 64 hex digits, got {digest!r}')
    missing = sorted(set(REQUIRED_FILES) - set(sha256))
    if missing:
        raise BundleError(f'sha256 must list {missing}, got {sorted(sha256)}')


def _check_tensors(inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
    names = [spec.name for spec in (*inputs, *outputs)]
    if not inputs or not outputs or len(set(names)) != len(names):
        raise BundleError(f'inputs and outputs must have distinct names, got {names}')


def _exactly(cls: type[Any], data: Any, where: str) -> dict[str, Any]:
    expected = {field.name for field in fields(cls)}
    found = set(_mapping(where, data))
    if found != expected:
        raise BundleError(f'{where}: unknown fields {sorted(found - expected)}, '
                          f'missing fields {sorted(expected - found)}')
    return dict(data)


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise BundleError(f'{name} must be a mapping, got {value!r}')
    return value


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BundleError(f'{name} must be a list, got {value!r}')
    return value


def _text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise BundleError(f'{name} must be a text, got {value!r}')


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def known_settings(config: type[Any], values: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Settings of a manifest that build a configuration; JSON's lists are tuples again.

    Args:
        config: The dataclass.
        values: What its `to_dict` wrote.
        kind: What the model is called for people.

    Raises:
        ConfigError: A name is unknown.
    """
    settings = {name: tuple(value) if isinstance(value, list) else value
                for name, value in values.items() if name != 'torch_model'}
    unknown = set(settings) - {each.name for each in fields(config)}
    if unknown:
        raise ConfigError(f'{kind} settings must be known, unknown are {sorted(unknown)}')
    return settings
