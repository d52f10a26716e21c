"""The view from behind as a PNG file, for pages that cannot show the report's own drawing."""

from __future__ import annotations

from pathlib import Path

from eq_eval.report.bev import line_opacity
from eq_eval.report.bev import SURE
from eq_eval.report.palette import BACKGROUND
from eq_eval.report.palette import class_colour
from eq_eval.report.palette import point_palette
from eq_eval.report.perspective import box_corners
from eq_eval.report.perspective import EDGES
from eq_eval.report.perspective import FRONT
from eq_eval.report.perspective import HEIGHT
from eq_eval.report.perspective import point_image
from eq_eval.report.perspective import visible_boxes
from eq_eval.report.perspective import WIDTH
from eq_eval.report.raster import ground_height
from eq_eval.report.scene import Scene

_FINE = 3  # lines are drawn that much larger and scaled down, which makes them smooth
_COLOURS = 128


def write_picture(path: Path, scene: Scene) -> None:
    """Draws a scan with the boxes that were found.

    Args:
        path: PNG file.
        scene: What to show; labels are left out, and boxes with a score below `SURE`.
    """
    from PIL import Image
    from PIL import ImageDraw

    ground = ground_height(scene.points)
    palette = point_palette()
    palette[0] = [int(BACKGROUND[place:place + 2], 16) for place in (1, 3, 5)]
    picture = Image.fromarray(palette[point_image(scene, ground)]).convert('RGBA')
    layer = Image.new('RGBA', (WIDTH * _FINE, HEIGHT * _FINE))
    pen = ImageDraw.Draw(layer)
    boxes = scene.predictions
    if boxes is not None and len(boxes):
        boxes = boxes.select(boxes.score >= SURE)
        pixels = box_corners(boxes, ground)
        for row in visible_boxes(pixels):
            corners = [tuple(corner) for corner in (pixels[row, :, :2] * _FINE).tolist()]
            colour = class_colour(scene.class_names[boxes.label[row]])
            opacity = line_opacity(float(boxes.score[row]))
            pen.polygon([corners[corner] for corner in FRONT],
                        f'{colour}{round(70 * opacity):02x}')
            for start, end in EDGES:
                pen.line([corners[start], corners[end]], f'{colour}{round(255 * opacity):02x}',
                         round(2.2 * _FINE))
    picture.alpha_composite(layer.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))
    reduced = picture.convert('RGB').quantize(_COLOURS, dither=Image.Dither.NONE)
    reduced.save(path, 'PNG', optimize=True)
