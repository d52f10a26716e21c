"""The real detector on a machine with a GPU and TensorRT, both of which are stand-ins."""

from __future__ import annotations

import os
from pathlib import Path
import sys
import time

sys.path.insert(0, str(Path(__file__).parents[1] / 'runtime'))

from fake_tensorrt import FakeCuda
from fake_tensorrt import make_trt

from eq_core.errors import BackendError
from eq_core.runtime import tensorrt
from eq_perception.nodes.lidar_detector import main

FAULT = 'EQ_TEST_GPU_FAULT'  # what the GPU does: `dies` once it is warm, or `fails` then
ACCEPTED = 6  # runs of warm-up, golden example and quarter turns
STARTED = 'EQ_TEST_BUILD_STARTED'  # variable that names a file; a build makes it and never ends


class BadCuda(FakeCuda):
    """Fails after as many runs of a session as its acceptance takes."""

    def synchronize(self, stream: int) -> None:
        super().synchronize(stream)
        if self._runs() > ACCEPTED:
            if os.environ[FAULT] == 'dies':
                self.faults.add('create_stream')
            raise BackendError('cudaErrorIllegalAddress')

    def _runs(self) -> int:
        since = self.calls[::-1].index('create_stream')
        return self.calls[len(self.calls) - since:].count('synchronize')


cuda = BadCuda() if FAULT in os.environ else FakeCuda()
library = make_trt(cuda)
if STARTED in os.environ:
    def never_end(*_: object) -> None:
        Path(os.environ[STARTED]).touch()
        time.sleep(600.)
    library.Builder.build_serialized_network = never_end

if __name__ == '__main__':
    sys.modules['tensorrt'] = library
    tensorrt.CudaRuntime = lambda: cuda  # type: ignore[assignment,misc]
    sys.exit(main())
