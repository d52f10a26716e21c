"""`eq verify PATH`: is this model bundle whole, right, and as symmetric as it says?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from typing import Any

import typer

from eq_eval.cli.options import Backend
from eq_eval.cli.options import Json
from eq_eval.cli.options import Precision
from eq_eval.cli.options import Threads


def verify(
    path: Annotated[Path, typer.Argument(help='Folder of the bundle.')],
    backend: Backend = 'onnxruntime',
    threads: Threads = 1,
    precision: Precision = 'fp32',
    quick: Annotated[bool, typer.Option(help='Changes nothing: it is always quick.')] = False,
    json: Json = False,
) -> None:
    """Checks every hash of a model bundle, its golden example and its equivariance.

    Exit code 1 if anything is wrong.
    """
    from eq_eval.cli.output import emit

    parts = sorted(file.parent for file in path.glob('*/manifest.json'))
    result = verify_parts(path, parts, backend, threads, precision) if parts else verify_bundle(
        path, backend, threads, precision)
    emit(result, json, f'verify {path}')
    if not result['ok']:
        raise typer.Exit(1)


def verify_bundle(path: Path, backend: str = 'onnxruntime', threads: int = 1,
                  precision: str = 'fp32') -> dict[str, Any]:
    """Measures what `eq verify` tells.

    Args:
        path: Folder of the bundle.
        backend: Name of the inference backend.
        threads: Threads of the inference.
        precision: Of the graph that is examined.

    Returns:
        ``ok``, ``problems`` (a line each), ``golden_error`` and ``equivariance_error`` (relative,
        None if not measured; the latter is None for a trivial group too), both by output,
        ``quarter_turn_error`` (as if the group were C4, whatever it is), ``tolerance``, ``files``
        (hashes that were checked), ``checksum`` of the whole, and who made and ran it.

    Raises:
        ConfigError: The backend or the precision is unknown, or `threads` is out of range.
    """
    from eq_core.errors import BackendError
    from eq_core.errors import BundleError
    from eq_core.errors import OutputError
    from eq_core.runtime import Bundle
    from eq_core.runtime import equivariance_errors
    from eq_core.runtime import examine
    from eq_core.runtime import open_session

    result: dict[str, Any] = {'ok': False, 'path': str(path), 'backend': backend,
                              'precision': precision, 'golden_error': None,
                              'equivariance_error': None}
    try:
        bundle = Bundle.load(path)
        result |= _describe(bundle, precision)
        with open_session(bundle, [backend], threads, False, precision) as session:
            report = examine(session, bundle)
            turning = equivariance_errors(session, bundle.golden()[0])
            return {**result, **report.to_dict(), 'quarter_turn_error': max(turning.values()),
                    'library': session.stats()['library']}
    except (BundleError, BackendError, OutputError) as error:
        return {**result, 'problems': [str(error)]}


def verify_parts(path: Path, parts: list[Path], backend: str, threads: int,
                 precision: str = 'fp32') -> dict[str, Any]:
    """Measures the bundles of a policy, each on its own and both together.

    Returns:
        ``ok``, ``problems``, what `verify_bundle` tells of each part under ``parts``, and
        ``pick_error`` and ``place_error`` of the policy's laws at quarter turns, relative.
    """
    from eq_core.runtime import Bundle
    from eq_eval.manipulation.laws import verify_policy
    from eq_eval.manipulation.spatial.laws import verify_spatial

    found = {part.name: verify_bundle(part, backend, threads, precision) for part in parts}
    problems = [f'{name}: {line}' for name, each in found.items() for line in each['problems']]
    result: dict[str, Any] = {'ok': False, 'path': str(path), 'backend': backend,
                              'precision': precision, 'parts': found,
                              'pick_error': None, 'place_error': None}
    if not problems:
        spatial = Bundle.load(parts[0]).manifest.task.startswith('spatial')
        result |= (verify_spatial if spatial else verify_policy)(path, backend, threads, precision)
        limit = found[parts[0].name]['tolerance']['equivariance']
        problems = [f'{name} is {result[name]:.1e}, accepted {limit:.0e}'
                    for name in ('pick_error', 'place_error')
                    if found[parts[0].name]['group'] != 'C1' and result[name] > limit]
    return {**result, 'ok': not problems, 'problems': problems}


def _describe(bundle: Any, precision: str) -> dict[str, Any]:
    manifest = bundle.manifest
    return {'name': manifest.name, 'group': manifest.group.name, 'checksum': bundle.checksum,
            'files': dict(manifest.sha256), 'license': manifest.license,
            'classes': list(manifest.classes),
            'tolerance': manifest.to_dict()['tolerance'].get(precision)}
