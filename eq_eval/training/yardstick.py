"""The field's yardstick of CPU latency: PointPillars of the size that KITTI is done with.

Lang et al., PointPillars: Fast Encoders for Object Detection from Point Clouds, CVPR 2019,
section 2.2 and 3: canvas of 64 x 496 x 432, the three-stage backbone of SECOND (3, 5, 5 further
convolutions), features of all stages brought to stride 2, and a head of 6 anchors for 3 classes.
4.83 million parameters, 34.2 GMAC. Weights are random, which does not change the time.
"""

from __future__ import annotations

import io

import torch
from torch import nn
from torch import Tensor

CANVAS = (64, 496, 432)
HEAD_CHANNELS = 6 * (3 + 7 + 2)   # anchors times classes, box, direction
OPSET = 20
_STAGES = ((64, 3), (128, 5), (256, 5))   # channels, convolutions after the one of stride 2
_UP = 128


class PointPillarsBackbone(nn.Module):
    """Canvas of pillar features to anchors; no pillar encoder, as that is a small part."""

    def __init__(self) -> None:
        """Builds the network with random weights."""
        super().__init__()
        self.stages, self.ups = nn.ModuleList(), nn.ModuleList()
        width = CANVAS[0]
        for number, (channels, depth) in enumerate(_STAGES):
            layers = [_block(nn.Conv2d(width, channels, 3, 2, 1, bias=False), channels)]
            layers += [_block(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), channels)
                       for _ in range(depth)]
            self.stages.append(nn.Sequential(*layers))
            scale = 2 ** number
            self.ups.append(_block(nn.ConvTranspose2d(channels, _UP, scale, scale, bias=False),
                                   _UP))
            width = channels
        self.head = nn.Conv2d(_UP * len(_STAGES), HEAD_CHANNELS, 1)

    def forward(self, canvas: Tensor) -> Tensor:
        """Maps (B, 64, H, W) to (B, 72, H / 2, W / 2); H and W are multiples of 8."""
        brought = []
        for stage, up in zip(self.stages, self.ups, strict=True):
            canvas = stage(canvas)
            brought.append(up(canvas))
        answer: Tensor = self.head(torch.cat(brought, 1))
        return answer


def _block(convolution: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(channels, eps=1e-3), nn.ReLU())


def yardstick_graph(canvas: tuple[int, int, int] = CANVAS) -> bytes:
    """Exports the network with its input `canvas` as ONNX.

    Args:
        canvas: Channels (64), rows and columns, multiples of 8.
    """
    buffer = io.BytesIO()
    program = torch.onnx.export(
        PointPillarsBackbone().eval(), (torch.zeros(1, *canvas),), dynamo=True,
        opset_version=OPSET, input_names=['canvas'], output_names=['anchors'], verbose=False)
    if program is None:
        raise RuntimeError('the exporter gave no program')
    program.save(buffer)
    return buffer.getvalue()
