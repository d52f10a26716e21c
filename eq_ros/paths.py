"""Paths, and the graph around them, as messages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_ros.markers import line_list
from eq_ros.messages import ColorRGBA
from eq_ros.messages import Header
from eq_ros.messages import Marker
from eq_ros.messages import MarkerArray
from eq_ros.messages import Path
from eq_ros.messages import PoseStamped

PATH_COLOR = ColorRGBA(r=0.835, g=0.369, b=0., a=1.)
CHEAP, COSTLY = np.array([.337, .706, .914]), np.array([.8, .475, .655])

Double = NDArray[np.float64]


def path_message(poses: Double, header: Header) -> Path:
    """Makes a path.

    Args:
        poses: (L, 3) x, y, yaw [m, rad].
        header: Of the path and of each of its poses.
    """
    message = Path(header=header)
    for x, y, yaw in poses.tolist():
        pose = PoseStamped(header=header)
        pose.pose.position.x, pose.pose.position.y = x, y
        pose.pose.orientation.z, pose.pose.orientation.w = np.sin(yaw / 2), np.cos(yaw / 2)
        message.poses.append(pose)
    return message


def path_markers(poses: Double, edges: Double, rate: Double, header: Header) -> MarkerArray:
    """Draws a path and the moves around it, coloured by their cost per metre.

    Args:
        poses: (L, 3) x, y, yaw [m, rad].
        edges: (M, 2, 2) from, to [m].
        rate: (M,) cost per metre.
        header: Frame and time.
    """
    lift = np.zeros((len(edges), 2, 1))
    share = np.log(np.maximum(rate, 1e-9))
    span = float(np.ptp(share)) if len(share) else 0.
    share = (share - share.min(initial=np.inf)) / span if span else np.zeros(len(share))
    colors = [ColorRGBA(r=r, g=g, b=b, a=.6)
              for r, g, b in (CHEAP + share[:, None] * (COSTLY - CHEAP)).tolist()
              for _ in range(2)]
    graph = line_list(header, 'graph', np.concatenate([edges, lift], -1).reshape(-1, 3).tolist(),
                      colors, .01)
    places = np.concatenate([poses[:, :2], np.full((len(poses), 1), .02)], -1)
    legs = np.stack([places[:-1], places[1:]], 1).reshape(-1, 3)
    path = line_list(header, 'path', legs.tolist(), [PATH_COLOR] * len(legs), .05)
    for marker in (graph, path):
        marker.lifetime.sec = 0     # a path holds until the next one
    return MarkerArray(markers=[Marker(header=header, action=Marker.DELETEALL), graph, path])
