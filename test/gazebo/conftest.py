"""Fixtures of the Gazebo tests; helper modules beside this file can be imported by name."""

from pathlib import Path
import sys

sys.path.insert(0, str(Path(__file__).parent))
