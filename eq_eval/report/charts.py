"""Charts as plain geometry; the templates draw it with the colours of the page."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HEIGHT = 280
NARROW, WIDE = 560, 1040         # [px]; half or the whole width of the page
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 26, 46  # margins around the plot [px]
_FIFTHS = (0., .2, .4, .6, .8, 1.)


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: place [px] and text."""

    place: float
    text: str


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram [px], and what it says."""

    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True)
class Curve:
    """One named line: SVG points and a CSS class."""

    name: str
    points: str
    style: str
    last: tuple[float, float]


@dataclass(frozen=True)
class Chart:
    """Axes with whatever stands in them.

    Attributes:
        width: [px].
        height: [px].
        left: Where the plot begins [px].
        right: Where it ends [px].
        top: Its upper edge [px].
        bottom: Its lower edge [px].
        x_ticks: Marks below.
        y_ticks: Marks on the left.
        x_label: What x is.
        y_label: What y is.
        bars: Bars of a histogram.
        curves: Lines.
        markers: Vertical lines with a text, such as percentiles.
    """

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_label: str
    y_label: str
    bars: tuple[Bar, ...] = ()
    curves: tuple[Curve, ...] = ()
    markers: tuple[Tick, ...] = ()


def _frame(width: float) -> tuple[float, float, float, float, float, float]:
    return width, HEIGHT, LEFT, width - RIGHT, TOP, HEIGHT - BOTTOM


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers (1, 2, 2.5, 5 times a power of ten) from `low` to `high`."""
    span = max(high - low, 1e-12)
    power = 10. ** np.floor(np.log10(span / count))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10)
                if span / (factor * power) <= count)
    first = np.ceil(low / step - 1e-9) * step
    return [float(value) + 0. for value in np.arange(first, high + step * 1e-6, step)]


def histogram(values: Sequence[float], x_label: str, bins: int = 28) -> Chart:
    """A histogram with its median and 99th percentile marked.

    Args:
        values: At least one number.
        x_label: What they are, with the unit.
        bins: Number of bars.
    """
    low, high = float(min(values)), float(max(values))
    margin = max((high - low) * 0.05, abs(high) * 0.02, 1e-9)
    low, high = max(low - margin, 0.), high + margin
    counts, edges = np.histogram(values, bins, (low, high))
    top = float(counts.max()) * 1.12

    def across(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (NARROW - LEFT - RIGHT)

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    bars = tuple(
        Bar(across(start) + 0.75, up(count), across(end) - across(start) - 1.5,
            HEIGHT - BOTTOM - up(count), f'{count} from {start:.1f} to {end:.1f}')
        for count, start, end in zip(counts.tolist(), edges[:-1], edges[1:], strict=True) if count)
    marks = tuple(Tick(across(value), f'{name} {value:.1f}') for name, value in zip(
        ('p50', 'p99'), np.percentile(values, [50, 99]), strict=True))
    ticks = [value for value in nice_ticks(0, top, 4) if value == int(value)]
    return Chart(*_frame(NARROW),
                 tuple(Tick(across(value), f'{value:g}') for value in nice_ticks(low, high, 7)),
                 tuple(Tick(up(value), f'{value:g}') for value in ticks),
                 x_label, 'scans', bars=bars, markers=marks)


def rotation_chart(angles: Sequence[float], series: Mapping[str, Sequence[float]]) -> Chart:
    """Average precision against the rotation of the scene.

    Args:
        angles: [deg], ascending, 0 to 360.
        series: Name to one value in [0, 1] per angle; the first is ours.
    """
    values = [value for line in series.values() for value in line]
    low = max(0., np.floor((min(values) - 0.1) * 10) / 10)  # never so near that noise looks big
    high = min(1., np.ceil((max(values) + 0.1) * 10) / 10)

    def across(angle: float) -> float:
        return LEFT + angle / 360 * (WIDE - LEFT - RIGHT)

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    curves = tuple(
        Curve(name, ' '.join(f'{across(angle):.1f},{up(value):.1f}'
                             for angle, value in zip(angles, line, strict=True)),
              'ours' if place == 0 else f'other-{place}', (across(angles[-1]), up(line[-1])))
        for place, (name, line) in enumerate(series.items()))
    return Chart(*_frame(WIDE),
                 tuple(Tick(across(angle), f'{angle}°') for angle in range(0, 361, 45)),
                 tuple(Tick(up(value), f'{value:.2g}') for value in nice_ticks(low, high, 5)),
                 'rotation of the whole scene', 'mean AP', curves=curves)


def reliability_chart(series: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Chart:
    """How often what was said with some probability came true, beside the diagonal.

    Args:
        series: Name to mean probabilities and shares that came true, all in [0, 1]; at most two.
    """
    def across(value: float) -> float:
        return LEFT + value * (NARROW - LEFT - RIGHT)

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM)

    lines = {**series, 'calibrated': ((0., 1.), (0., 1.))}
    styles = [*('ours', 'other-1')[:len(series)], 'other-2']
    curves = tuple(
        Curve(name, ' '.join(f'{across(x):.1f},{up(y):.1f}'
                             for x, y in zip(said, came, strict=True)),
              style, (across(said[-1]), up(came[-1])))
        for style, (name, (said, came)) in zip(styles, lines.items(), strict=True))
    return Chart(*_frame(NARROW), tuple(Tick(across(value), f'{value:g}') for value in _FIFTHS),
                 tuple(Tick(up(value), f'{value:g}') for value in _FIFTHS),
                 'probability that was said', 'share that came true', curves=curves)
