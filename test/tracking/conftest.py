"""Scenes with known truth, shared by the tests of the tracker."""

from __future__ import annotations

from pathlib import Path
import sys

sys.path.insert(0, str(Path(__file__).resolve().parent))
