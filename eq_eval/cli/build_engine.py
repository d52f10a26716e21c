"""`eq build-engine BUNDLE`: builds engines ahead of time, so that a robot need not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from typing import Any

import typer

from eq_eval.cli.options import Json

OLDEST_AHEAD = (8, 0)   # Turing, which is older, lacks products of matrices in fp32

CapabilityOption = Annotated[list[str] | None, typer.Option(
    '--compute-capability', help='GPU to build for, such as 8.6; may be repeated. TensorRT-RTX '
    "only; needs no GPU here. If not given this machine's GPU, or without one all from 8.0 on.")]


def build_engine(
    path: Annotated[Path, typer.Argument(help='Folder of a bundle, or of a policy with two.')],
    backend: Annotated[str, typer.Option(help='tensorrt or tensorrt_rtx.')] = 'tensorrt_rtx',
    precision: Annotated[str, typer.Option(help='fp32, fp16 or int8.')] = 'fp32',
    compute_capability: CapabilityOption = None,
    out: Annotated[Path | None, typer.Option(
        help="Folder for the engines; this user's cache, where nodes look, if not given.")] = None,
    rebuild: Annotated[bool, typer.Option(help='Build even what is there.')] = False,
    json: Json = False,
) -> None:
    """Builds the engines of a model and keeps them under the hash of all that they hang on.

    Exit code 1 if one could not be built.
    """
    from rich.progress import Progress

    from eq_core.runtime import PrepareSpec
    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit

    with Progress(console=console, transient=True) as bar:
        task = bar.add_task('building', total=1.)
        spec = PrepareSpec(
            precision, build_policy='always' if rebuild else 'if_missing',
            progress=lambda text, part: bar.update(task, description=text, completed=part))
        result = build_engines(path, backend, spec, compute_capability or [], out)
    emit(result, json, f'build-engine {path}')
    if not result['built']:
        raise typer.Exit(1)


def build_engines(path: Path, backend: str, spec: Any, capabilities: Sequence[str],
                  out: Path | None = None) -> dict[str, Any]:
    """Builds what `eq build-engine` builds.

    Args:
        path: Folder of a bundle, or of a policy whose parts are bundles.
        backend: ``'tensorrt'`` or ``'tensorrt_rtx'``.
        spec: Precision, policy and progress.
        capabilities: GPUs to build for; if empty this machine's, or where it has none all of
            `OLDEST_AHEAD` or newer that can be built for without.
        out: Where the engines go.

    Returns:
        ``built`` (all of them), ``unsupported`` (names of nodes that the parser does not know),
        ``problems`` (a line each), ``seconds`` and ``bytes`` in all, ``key`` (None if there is
        not exactly one), and ``engines``, each with its part, target, key, seconds and bytes.

    Raises:
        BundleError: A bundle is incomplete or altered.
        ConfigError: The backend builds no engines.
    """
    from eq_core.errors import BackendError
    from eq_core.errors import ConfigError
    from eq_core.runtime import Bundle
    from eq_core.runtime import TensorRtBackend
    from eq_core.runtime.engine_cache import EngineCache
    from eq_core.runtime.tensorrt import OLDEST

    if backend not in OLDEST:
        raise ConfigError(f'backend must be one of {sorted(OLDEST)}, got {backend!r}')
    builder = TensorRtBackend(backend, cache=EngineCache(out))
    parts = sorted(file.parent for file in path.glob('*/manifest.json')) or [path]
    engines: list[dict[str, Any]] = []
    problems: list[str] = []
    unsupported: list[str] = []
    for part in parts:
        bundle = Bundle.load(part)
        try:
            nodes = builder.unsupported(bundle, spec.precision)
        except BackendError as error:
            problems.append(f'{part}: {error}')
            continue
        unsupported += list(nodes)
        problems += [f'{part}: {text}' for text in nodes.values()]
        for target in ([] if nodes else capabilities or _targets(builder)):
            try:
                engines.append(_build(builder, bundle, spec, target, part))
            except BackendError as error:
                problems.append(f'{part}: {f"{target}: " if target else ""}{error}')
    return {'built': not problems, 'backend': backend, 'precision': spec.precision,
            'unsupported': unsupported, 'problems': problems,
            'seconds': sum(engine['seconds'] for engine in engines),
            'bytes': sum(engine['bytes'] for engine in engines),
            'key': engines[0]['key'] if len(engines) == 1 else None, 'engines': engines}


def _targets(builder: Any) -> list[str]:
    """This machine's GPU, told by an empty text, or else those that need none to be built for."""
    if builder.available()[0]:
        return ['']
    ahead = [each for each in builder.targets()
             if tuple(map(int, each.split('.'))) >= OLDEST_AHEAD]
    return ahead or ['']


def _build(builder: Any, bundle: Any, spec: Any, target: str, part: Path) -> dict[str, Any]:
    """Builds one engine, for a kind of GPU or for the one that is here."""
    from eq_core.errors import BackendError

    if target:
        engine = builder.build_ahead(bundle, spec, target)
        key, cached, seconds = engine.key, engine.cached, engine.seconds
        size, notes = len(engine.data), engine.notes
    else:
        usable, reason = builder.available()
        if not usable:
            raise BackendError(reason)
        artifact = builder.prepare(bundle, spec)
        details = artifact.details
        key, cached = details['engine_key'], details['engine'] == 'cached'
        size, seconds, notes = len(artifact.payload), details['build_seconds'], artifact.notes
    return {'part': part.name, 'target': target or 'this GPU', 'key': key, 'cached': cached,
            'seconds': seconds, 'bytes': size, 'notes': list(notes)}
