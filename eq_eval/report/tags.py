"""Short texts beside things in a picture, placed so that none covers another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FONT = 15.         # [px]
_ADVANCE = .62     # of the font size: width of a digit in all fonts of the page, with some air
_LINE = 1.2        # of the font size
_GAP = 4.          # [px] between a thing and its text


@dataclass(frozen=True)
class Tag:
    """A text and where it begins: left end of its baseline [px]; with a CSS colour."""

    x: float
    y: float
    text: str
    colour: str

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the space that it takes [px]."""
        return (self.x, self.y - FONT, self.x + _ADVANCE * FONT * len(self.text),
                self.y + (_LINE - 1) * FONT)


def place_tags(things: NDArray[np.floating], texts: Sequence[str], colours: Sequence[str],
               size: tuple[float, float], above: bool = False) -> tuple[Tag, ...]:
    """Writes beside each thing where there is room; a text without room is left out.

    A text covers no other one, and no other thing if that can be had.

    Args:
        things: (N, 4) left, top, right, bottom of the things [px], the most important first.
        texts: N texts.
        colours: N CSS colours.
        size: Width and height of the picture [px].
        above: Whether a text stands above its thing rather than on the right of it.
    """
    placed: list[Tag] = []
    for row, (text, colour) in enumerate(zip(texts, colours, strict=True)):
        taken = np.array([tag.bounds for tag in placed]).reshape(-1, 4)
        others = np.delete(things, row, axis=0)
        free = [tag for tag in _candidates(things[row], text, colour, above)
                if _inside(tag, size) and _free(tag, taken)]
        placed += ([tag for tag in free if _free(tag, others)] or free)[:1]
    return tuple(placed)


def _candidates(bounds: NDArray[np.floating], text: str, colour: str, above: bool) -> list[Tag]:
    """Right, above, left and below of a thing; or above first."""
    left, top, right, bottom = (float(value) for value in bounds)
    width = _ADVANCE * FONT * len(text)
    middle, centre = (top + bottom) / 2 + FONT * .35, (left + right - width) / 2
    places = [(right + _GAP, middle), (centre, top - _GAP), (left - _GAP - width, middle),
              (centre, bottom + FONT + _GAP)]
    if above:
        places[:2] = places[1::-1]
    return [Tag(round(x, 1), round(y, 1), text, colour) for x, y in places]


def _inside(tag: Tag, size: tuple[float, float]) -> bool:
    left, top, right, bottom = tag.bounds
    return left >= 0 and top >= 0 and right <= size[0] and bottom <= size[1]


def _free(tag: Tag, taken: NDArray[np.floating]) -> bool:
    """Whether a text touches none of (N, 4) rectangles."""
    left, top, right, bottom = tag.bounds
    return not ((left < taken[:, 2]) & (taken[:, 0] < right)
                & (top < taken[:, 3]) & (taken[:, 1] < bottom)).any()
