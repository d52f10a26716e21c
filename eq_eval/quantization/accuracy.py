"""What a lower precision costs on scenes that no model was trained or calibrated on."""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any

from eq_core.errors import ConfigError
from eq_core.runtime import Bundle
from eq_core.runtime import write_bundle
from eq_eval.quantization.precisions import card_of
from eq_eval.quantization.precisions import present

# Task of a manifest -> names of its stored evaluations, their headline, and what counts scans.
HEADLINES: Mapping[str, tuple[str, str, str]] = {
    'lidar_detection': ('eval_detector', 'mAP', 'num_scans'),
    'panoptic_segmentation': ('eval_segmenter', 'LSTQ', 'scans')}
TITLE = '- Precisions, '


def record_accuracy(path: Path, results: Path) -> dict[str, Any]:
    """Writes stored evaluations into the manifest and the card of a bundle.

    Precisions that were not evaluated stay without.

    Args:
        path: Folder of a bundle with graphs of lower precision.
        results: Folder of results of ``eq eval``, such as bench/results, with that of fp32 (by
            ``--name``) on the same backend and at the same time.

    Returns:
        What the manifest says of each under ``training.precisions``.

    Raises:
        ConfigError: That of fp32 is missing, or one is of another model or other scans.
    """
    bundle = Bundle.load(path)
    fields, task = bundle.fields(), bundle.manifest.task
    if task not in HEADLINES:
        raise ConfigError(f'accuracy is known of {sorted(HEADLINES)}, got a model for {task}')
    name, metric, scans = HEADLINES[task]
    reference = _evaluation(results / f'{name}_fp32.json', bundle)
    records = dict(fields['training'].get('precisions', {}))
    for precision, record in records.items():
        file = results / f'{name}_{precision}.json'
        if file.is_file():
            records[precision] = {**record, 'accuracy': _compared(
                _evaluation(file, bundle), reference, metric, scans)}
    fields['training'] = {**fields['training'], 'precisions': records}
    known = {precision: record['accuracy'] for precision, record in records.items()
             if 'accuracy' in record}
    card = card_of(bundle)
    if known:
        card = _with_lines(card, _lines(known, reference[metric]))
    write_bundle(path, bundle.read('model.onnx'), bundle.weights(), *bundle.golden(), fields, card,
                 *present(bundle))
    return records


def _evaluation(file: Path, bundle: Bundle) -> dict[str, Any]:
    if not file.is_file():
        raise ConfigError(f'expected a stored evaluation {file}, found none')
    result: dict[str, Any] = json.loads(file.read_bytes())['result']
    if result['model'] != bundle.manifest.name:
        raise ConfigError(f'{file} is of {result["model"]}, expected {bundle.manifest.name}')
    return result


def _compared(result: Mapping[str, Any], reference: Mapping[str, Any], metric: str, scans: str
              ) -> dict[str, Any]:
    for key in (scans, 'data', 'backend', 'score_threshold'):
        if result.get(key) != reference.get(key):
            raise ConfigError(f'evaluations must differ in precision alone, got {key} '
                              f'{result.get(key)!r} and {reference.get(key)!r}')
    return {'metric': metric, 'value': result[metric], 'scans': result[scans],
            'cost': reference[metric] - result[metric], 'data': result['data'],
            'backend': result['backend']}


def _lines(known: Mapping[str, Any], reference: float) -> str:
    first = next(iter(known.values()))
    values = [f'{precision} {found["value"]:.4f}' for precision, found in known.items()]
    return (f'{TITLE}{first["metric"]} on {first["scans"]} simulated test scans:\n'
            f'  fp32 {reference:.4f}, {", ".join(values)}.\n')


def _with_lines(card: str, lines: str) -> str:
    """The card with these lines, in place of older ones, at its end."""
    kept, _, _ = card.partition(TITLE)
    return kept.rstrip('\n') + '\n' + lines
