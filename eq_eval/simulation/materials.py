"""What surfaces are made of: class, reflectivity and how a laser pulse fares on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Raw class ids of SemanticKITTI (semantic-kitti.yaml).
SEMANTIC = {
    'unlabeled': 0, 'outlier': 1, 'car': 10, 'bicycle': 11, 'motorcycle': 15, 'truck': 18,
    'other-vehicle': 20, 'person': 30, 'bicyclist': 31, 'road': 40, 'parking': 44,
    'sidewalk': 48, 'other-ground': 49, 'building': 50, 'fence': 51, 'other-structure': 52,
    'vegetation': 70, 'trunk': 71, 'terrain': 72, 'pole': 80, 'traffic-sign': 81,
    'other-object': 99,
}
CLASS_NAMES = ('car', 'truck', 'pedestrian', 'cyclist')
CLASS_SEMANTIC = np.array([SEMANTIC['car'], SEMANTIC['truck'], SEMANTIC['person'],
                           SEMANTIC['bicyclist']], np.uint16)


@dataclass(frozen=True)
class Material:
    """Optical behaviour of a surface.

    Attributes:
        semantic: SemanticKITTI raw id; unused for triangles of an object.
        reflectivity: Diffuse reflectivity in [0, 1] at 905 nm.
        transmission: Probability that the pulse goes through to what is behind.
        loss: Probability that the pulse is mirrored away and never returns.
        jitter: Standard deviation of extra range noise of rough or soft surfaces [m].
        pile: Height of the blades or stones of a ground, anywhere in which a pulse may stop [m].
    """

    semantic: int
    reflectivity: float
    transmission: float = 0.
    loss: float = 0.
    jitter: float = 0.
    pile: float = 0.


_S = SEMANTIC
MATERIALS: dict[str, Material] = {
    'ground': Material(_S['unlabeled'], .30),   # hits on it become one of the next six
    'asphalt': Material(_S['road'], .16),
    'block paving': Material(_S['parking'], .27, pile=.006),
    'slabs': Material(_S['sidewalk'], .38, pile=.004),
    'gravel': Material(_S['other-ground'], .28, jitter=.005, pile=.03),
    'floor': Material(_S['other-ground'], .33),
    'grass': Material(_S['terrain'], .50, jitter=.01, pile=.09),
    'paint': Material(_S['car'], .40, loss=.03),
    'glass': Material(_S['car'], .08, transmission=.4, loss=.4),
    'rubber': Material(_S['car'], .07),
    'lamp': Material(_S['car'], .85),
    'interior': Material(_S['car'], .15),
    'metal': Material(_S['car'], .35),
    'skin': Material(_S['person'], .45),
    'cloth': Material(_S['person'], .35),
    'wall': Material(_S['building'], .40),
    'window': Material(_S['building'], .10, loss=.65),
    'roof': Material(_S['building'], .25),
    'structure': Material(_S['other-structure'], .35),
    'fence': Material(_S['fence'], .35),
    'mesh fence': Material(_S['fence'], .35, transmission=.7),
    'leaf': Material(_S['vegetation'], .40, transmission=.15, jitter=.06),
    'hedge': Material(_S['vegetation'], .38, transmission=.1, jitter=.08),
    'trunk': Material(_S['trunk'], .30, jitter=.01),
    'pole': Material(_S['pole'], .35),
    'sign': Material(_S['traffic-sign'], .95),
    'object': Material(_S['other-object'], .35),
    'bicycle': Material(_S['bicycle'], .30),
    'motorcycle': Material(_S['motorcycle'], .30),
    'vehicle': Material(_S['other-vehicle'], .40),
}
MATERIAL_ID = {name: index for index, name in enumerate(MATERIALS)}
GROUND = MATERIAL_ID['ground']

SEMANTIC_OF = np.array([m.semantic for m in MATERIALS.values()], np.uint16)
REFLECTIVITY_OF = np.array([m.reflectivity for m in MATERIALS.values()], np.float32)
TRANSMISSION_OF = np.array([m.transmission for m in MATERIALS.values()], np.float32)
LOSS_OF = np.array([m.loss for m in MATERIALS.values()], np.float32)
JITTER_OF = np.array([m.jitter for m in MATERIALS.values()], np.float32)
PILE_OF = np.array([m.pile for m in MATERIALS.values()], np.float32)
