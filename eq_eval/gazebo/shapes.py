"""The shapes of a world in SDF: boxes, cylinders and spheres with their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import xml.etree.ElementTree as ElementTree

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eq_core.errors import InputError

Double = NDArray[np.float64]
MODEL = 'model://'
ZERO = '0 0 0 0 0 0'


@dataclass(frozen=True, eq=False)
class Shape:
    """One collision shape.

    Attributes:
        model: Name of the model that it is part of.
        link: Name of the link.
        kind: 'box', 'cylinder' (along its z) or 'sphere'.
        size: (3,) extent along its own axes [m].
        pose: (4, 4) world <- shape.
        static: Whether the model does not move.
    """

    model: str
    link: str
    kind: str
    size: Double
    pose: Double
    static: bool

    def corners(self) -> Double:
        """(8, 3) corners of the box around it, in the world [m]."""
        signs = np.array(np.meshgrid(*[[-.5, .5]] * 3)).reshape(3, -1).T
        return np.asarray(signs * self.size @ self.pose[:3, :3].T + self.pose[:3, 3])


def matrix(pose: str) -> Double:
    """(4, 4) of a pose as SDF writes it: x y z [m], roll pitch yaw [rad]."""
    values = [float(value) for value in pose.split()]
    result = np.eye(4)
    result[:3, :3] = Rotation.from_euler('xyz', values[3:]).as_matrix()
    result[:3, 3] = values[:3]
    return result


def read_shapes(path: Path, models: Path) -> list[Shape]:
    """Reads the collision shapes of a world; planes, which are the ground, are left out.

    Args:
        path: The world.
        models: Folder of the models that it includes.

    Raises:
        InputError: There is no such file, or it holds no world.
    """
    world = _root(path).find('world')
    if world is None:
        raise InputError(f'{path}: there is no world in it')
    shapes: list[Shape] = []
    for model in world.findall('model'):
        shapes += _of_model(model, model, np.eye(4))
    for include in world.findall('include'):
        name = include.findtext('uri', '').removeprefix(MODEL)
        inner = _root(models / name / 'model.sdf').find('model')
        if inner is None:
            raise InputError(f'{path}: there is no model in {name}')
        shapes += _of_model(inner, include, matrix(inner.findtext('pose', ZERO)))
    return shapes


def _root(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise InputError(f'{path}: not a file in SDF: {error}') from error


def _of_model(model: ElementTree.Element, placed: ElementTree.Element, own: Double
              ) -> Iterator[Shape]:
    """Shapes of a model where `placed`, itself or what includes it, puts it."""
    outer = matrix(placed.findtext('pose', ZERO)) @ own
    name = placed.get('name') or placed.findtext('name') or str(model.get('name'))
    static = 'true' in (placed.findtext('static'), model.findtext('static'))
    for link in model.findall('link'):
        at = outer @ matrix(link.findtext('pose', ZERO))
        for collision in link.findall('collision'):
            for geometry in collision.findall('geometry/*'):
                if geometry.tag != 'plane':
                    yield Shape(name, str(link.get('name')), geometry.tag, _size(geometry),
                                at @ matrix(collision.findtext('pose', ZERO)), static)


def _size(geometry: ElementTree.Element) -> Double:
    if geometry.tag == 'box':
        return np.array([float(value) for value in geometry.findtext('size', '').split()])
    width = 2. * float(geometry.findtext('radius', 'nan'))
    if geometry.tag == 'cylinder':
        return np.array([width, width, float(geometry.findtext('length', 'nan'))])
    if geometry.tag == 'sphere':
        return np.full(3, width)
    raise InputError(f"shapes must be boxes, cylinders or spheres, got '{geometry.tag}'")
