"""A model as a directory: graph, weights, manifest, and an example with its right answer.

``model.onnx``, ``model.safetensors`` (the same weights for the reference), ``golden.npz`` (inputs
and outputs to compare with), ``manifest.json``, and optionally ``card.md`` and graphs of lower
precision, of which some have right answers of their own. Every file is covered by a SHA-256 in
the manifest, and the manifest by its own checksum. That finds damage and mix-ups; against malice
compare `Bundle.checksum` with the published one, because whoever may write the directory may also
write a matching manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
import os
from pathlib import Path
import shutil
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import BundleError
from eq_core.runtime import integrity
from eq_core.runtime.manifest import GRAPHS
from eq_core.runtime.manifest import Manifest
from eq_core.runtime.manifest import PRECISIONS
from eq_core.runtime.manifest import SCHEMA_VERSION
from eq_core.runtime.manifest import TensorSpec

Arrays = dict[str, NDArray[Any]]
MANIFEST = 'manifest.json'
LARGEST_MANIFEST = 4 << 20  # bytes; a real one has a few thousand
DERIVED_FIELDS = ('sha256', 'inputs', 'outputs')


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files have all been checked.

    Attributes:
        path: Its directory.
        manifest: What it says of itself.
        checksum: SHA-256 of manifest.json, which covers every byte of the bundle.
    """

    path: Path
    manifest: Manifest
    checksum: str

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Bundle:
        """Reads a bundle and checks every file of it.

        Raises:
            BundleError: A file is missing, unlisted, altered, malformed or a pickle, a field of
                the manifest is unknown or out of range, or a number is not finite. The text is
                one line with the path, what was expected and what was found.
        """
        directory = Path(path)
        integrity.refuse_pickle_name(directory)
        if not directory.is_dir():
            raise BundleError(f'{directory}: expected a bundle directory, found '
                              f'{"a file" if directory.exists() else "nothing"}')
        data = _read(directory / MANIFEST, LARGEST_MANIFEST)
        bundle = cls(directory, _parse_manifest(directory / MANIFEST, data),
                     integrity.digest(data))
        bundle._check_listing()
        for name in bundle.manifest.sha256:
            bundle.read(name)
        bundle.weights()
        for precision in PRECISIONS:
            if precision == 'fp32' or answers_of(precision) in bundle.manifest.sha256:
                bundle.golden(precision)
        return bundle

    def read(self, name: str) -> bytes:
        """Reads one file of the bundle, checked against its hash at this very moment.

        Raises:
            BundleError: The file is not listed, missing, altered or a pickle.
        """
        if name not in self.manifest.sha256:
            raise BundleError(f'{self.path / name}: expected one of '
                              f'{sorted(self.manifest.sha256)}, found a name that is not listed')
        data = _read(self.path / name)
        expected, found = self.manifest.sha256[name], integrity.digest(data)
        integrity.refuse_pickle_bytes(self.path / name, data)
        if expected != found:
            raise BundleError(f'{self.path / name}: expected sha256 {expected}, found {found} '
                              f'({len(data)} bytes)')
        return data

    def weights(self) -> Arrays:
        """The parameters by name, as the reference model knows them."""
        return integrity.read_weights(self.path / 'model.safetensors',
                                      self.read('model.safetensors'))

    def golden(self, precision: str = 'fp32') -> tuple[Arrays, Arrays]:
        """Example inputs and the outputs that belong to them.

        Args:
            precision: Of the graph that shall give them; the outputs of fp32 hold for all graphs
                that have none of their own.

        Raises:
            BundleError: A tensor is missing, unknown, or not as the manifest says.
        """
        inputs = {f'input.{spec.name}': spec for spec in self.manifest.inputs}
        outputs = {f'output.{spec.name}': spec for spec in self.manifest.outputs}
        arrays = self._arrays('golden.npz', {**inputs, **outputs})
        own = answers_of(precision)
        if own in self.manifest.sha256:
            arrays |= self._arrays(own, outputs)
        return ({spec.name: arrays[key] for key, spec in inputs.items()},
                {spec.name: arrays[key] for key, spec in outputs.items()})

    def _arrays(self, name: str, expected: Mapping[str, TensorSpec]) -> Arrays:
        path = self.path / name
        arrays = integrity.read_arrays(path, self.read(name))
        if set(arrays) != set(expected):
            raise BundleError(f'{path}: expected {sorted(expected)}, found {sorted(arrays)}')
        for key, spec in expected.items():
            _check_array(f'{path}: {key}', spec, arrays[key])
        return arrays

    def fields(self) -> dict[str, Any]:
        """What `write_bundle` needs as `manifest_fields` to write this bundle again."""
        data = self.manifest.to_dict()
        laws = {item['name']: item['representation'] for item in data['inputs'] + data['outputs']}
        return {**{key: data[key] for key in data if key not in DERIVED_FIELDS},
                'representations': laws}

    def _check_listing(self) -> None:
        for entry in sorted(self.path.iterdir()):
            integrity.refuse_pickle_name(entry)
            ours = entry.name in self.manifest.sha256 or entry.name == MANIFEST
            if not ours and not entry.name.startswith('.'):  # nothing reads hidden files
                raise BundleError(f'{entry}: expected only files that {MANIFEST} lists, found one '
                                  'that it does not')


def write_bundle(path: str | os.PathLike[str], onnx_bytes: bytes,
                 state_dict: Mapping[str, NDArray[Any]],
                 golden_inputs: Mapping[str, NDArray[Any]],
                 golden_outputs: Mapping[str, NDArray[Any]],
                 manifest_fields: Mapping[str, Any], card: str = '',
                 graphs: Mapping[str, bytes] | None = None,
                 answers: Mapping[str, Mapping[str, NDArray[Any]]] | None = None) -> Bundle:
    """Writes a bundle as a whole or not at all, and reads it back.

    Args:
        path: Directory to write; an older bundle there is replaced.
        onnx_bytes: The graph.
        state_dict: The parameters by name.
        golden_inputs: Example inputs; their order, dtypes and shapes become the manifest's.
        golden_outputs: The right answer to them, likewise.
        manifest_fields: ``name, task, group, tolerance, config, classes, opset, license,
            training`` as in `Manifest.from_dict`, and ``representations``, a law for each tensor.
        card: Text of ``card.md``; no such file if empty.
        graphs: Graphs of lower precision by its name, e.g. ``'int8'``.
        answers: Golden outputs of those graphs that are compared with their own.

    Raises:
        BundleError: The parts do not make a bundle that `Bundle.load` accepts.
    """
    import safetensors.numpy
    arrays = {**{f'input.{name}': array for name, array in golden_inputs.items()},
              **{f'output.{name}': array for name, array in golden_outputs.items()}}
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{target.name}-', dir=target.parent) as scratch:
        new = Path(scratch) / target.name
        new.mkdir()
        (new / 'model.onnx').write_bytes(onnx_bytes)
        (new / 'model.safetensors').write_bytes(safetensors.numpy.save(
            {name: np.ascontiguousarray(array).reshape(np.shape(array))  # keeps scalars scalars
             for name, array in state_dict.items()}))
        np.savez_compressed(new / 'golden.npz', **arrays)  # type: ignore[arg-type]
        for precision, graph in (graphs or {}).items():
            (new / GRAPHS[precision]).write_bytes(graph)
        for precision, outputs in (answers or {}).items():
            np.savez_compressed(new / answers_of(precision), **{  # type: ignore[arg-type]
                f'output.{name}': array for name, array in outputs.items()})
        if card:
            (new / 'card.md').write_text(card, encoding='utf-8')
        data = _manifest_dict(new, golden_inputs, golden_outputs, manifest_fields)
        (new / MANIFEST).write_bytes(seal(data))
        Bundle.load(new)
        if target.exists():
            shutil.move(target, Path(scratch) / 'replaced')
        new.replace(target)
    return Bundle.load(target)


def answers_of(precision: str) -> str:
    """Name of the file with golden outputs of a graph's own.

    >>> answers_of('int8')
    'golden.int8.npz'
    """
    return f'golden.{precision}.npz'


def seal(data: Mapping[str, Any]) -> bytes:
    """Bytes of a manifest.json: `data` with schema version and checksum.

    Raises:
        BundleError: A value has no JSON form.
    """
    body = {'schema_version': SCHEMA_VERSION, **data}
    return integrity.canonical_json(
        {**body, 'checksum': integrity.digest(integrity.canonical_json(body))})


def _manifest_dict(directory: Path, inputs: Mapping[str, NDArray[Any]],
                   outputs: Mapping[str, NDArray[Any]],
                   fields: Mapping[str, Any]) -> dict[str, Any]:
    laws = fields.get('representations')
    named = {*inputs, *outputs}
    if not isinstance(laws, Mapping) or set(laws) != named:
        raise BundleError(f'representations must give a law for each of {sorted(named)}, '
                          f'got {laws!r}')

    def specs(tensors: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
        return [{'name': name, 'dtype': str(array.dtype), 'shape': list(array.shape),
                 'representation': laws[name]} for name, array in tensors.items()]
    return {**{key: value for key, value in fields.items() if key != 'representations'},
            'inputs': specs(inputs), 'outputs': specs(outputs),
            'sha256': {file.name: integrity.digest(file.read_bytes())
                       for file in sorted(directory.iterdir())}}


def _parse_manifest(path: Path, data: bytes) -> Manifest:
    try:
        body = json.loads(data)
        if not isinstance(body, dict):
            raise BundleError(f'expected a JSON object, found {type(body).__name__}')
        version = body.pop('schema_version', None)
        if version != SCHEMA_VERSION:
            raise BundleError(f'expected schema_version {SCHEMA_VERSION}, found {version!r}')
        checksum = body.pop('checksum', None)
        manifest = Manifest.from_dict(body)
        sealed = seal(body)
    except (BundleError, ValueError, RecursionError) as error:
        raise BundleError(f'{path}: {_reason(error)}') from error
    if sealed != data:
        expected = json.loads(sealed)['checksum']
        found = 'another spelling of it' if checksum == expected else repr(checksum)
        raise BundleError(f'{path}: expected checksum {expected} of the contents, found {found} '
                          '(altered or edited by hand)')
    return manifest


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, BundleError) else (
        f'expected JSON, found {integrity.one_line(error)}')


def _read(path: Path, largest: int | None = None) -> bytes:
    try:
        if largest is not None and path.stat().st_size > largest:
            raise BundleError(f'{path}: expected at most {largest} bytes, found '
                              f'{path.stat().st_size}')
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f'{path}: expected a readable file, found '
                          f'{error.strerror or error}') from error


def _check_array(where: str, spec: TensorSpec, array: NDArray[Any]) -> None:
    if str(array.dtype) != spec.dtype or array.shape != spec.shape:
        raise BundleError(f'{where}: expected {spec.dtype} {spec.shape}, '
                          f'found {array.dtype} {array.shape}')
