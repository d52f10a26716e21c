"""The real node on a machine without torch."""

from __future__ import annotations

import sys

if __name__ == '__main__':
    sys.modules['torch'] = None  # type: ignore[assignment]  # as where it is not installed

from eq_perception.nodes.lidar_detector import main

if __name__ == '__main__':
    sys.exit(main())
