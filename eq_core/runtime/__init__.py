"""Model bundles, inference backends, and the proof a model gives before it is used."""

from eq_core.runtime.acceptance import accept
from eq_core.runtime.acceptance import AcceptanceReport
from eq_core.runtime.acceptance import equivariance_errors
from eq_core.runtime.acceptance import examine
from eq_core.runtime.backend import Artifact
from eq_core.runtime.backend import Backend
from eq_core.runtime.backend import PrepareSpec
from eq_core.runtime.backend import SessionOptions
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.bundle import write_bundle
from eq_core.runtime.manifest import Manifest
from eq_core.runtime.manifest import SymmetryGroup
from eq_core.runtime.manifest import TensorSpec
from eq_core.runtime.manifest import Tolerance
from eq_core.runtime.onnx_runtime import OnnxRuntimeBackend
from eq_core.runtime.openvino import OpenVinoBackend
from eq_core.runtime.selection import BACKENDS
from eq_core.runtime.selection import DEFAULT_BACKENDS
from eq_core.runtime.selection import open_session
from eq_core.runtime.session import Session
from eq_core.runtime.tensorrt import TensorRtBackend
from eq_core.runtime.torch_reference import TorchBackend

__all__ = [
    'accept', 'AcceptanceReport', 'Artifact', 'Backend', 'BACKENDS', 'Bundle',
    'DEFAULT_BACKENDS', 'equivariance_errors', 'examine', 'Manifest', 'OnnxRuntimeBackend',
    'open_session', 'OpenVinoBackend', 'PrepareSpec', 'Session', 'SessionOptions',
    'SymmetryGroup', 'TensorRtBackend', 'TensorSpec',
    'Tolerance', 'TorchBackend', 'write_bundle',
]
