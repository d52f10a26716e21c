"""The nodes that a recording can be played through, and where their shipped models lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eq_core.errors import ConfigError
from eq_ros.transport import shared_file


@dataclass(frozen=True)
class PlayedNode:
    """A node that answers clouds.

    Attributes:
        name: Name of the node and of its shipped model.
        module: Python module that is the node.
        label: What it is called for people.
        labels_points: Whether it answers with labelled points too and listens to odometry.
    """

    name: str
    module: str
    label: str
    labels_points: bool = False

    def shipped_model(self) -> Path | None:
        """Folder of the shipped model, None where there is none."""
        try:
            return shared_file(f'models/{self.name}/manifest.json').parent
        except ConfigError:
            return None


DETECTOR = PlayedNode('lidar_detector', 'eq_perception.nodes.lidar_detector', 'detector')
SEGMENTER = PlayedNode('panoptic_segmenter', 'eq_perception.nodes.panoptic_segmenter',
                       'segmenter', labels_points=True)
