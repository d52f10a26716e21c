"""Procedural LiDAR sequences by ray casting."""

from eq_eval.simulation.config import sample_specs
from eq_eval.simulation.config import SequenceSpec
from eq_eval.simulation.config import WorldConfig
from eq_eval.simulation.config import WORLDS
from eq_eval.simulation.sensors import Sensor
from eq_eval.simulation.sensors import SENSORS
from eq_eval.simulation.sequence import simulate
from eq_eval.simulation.sequence import simulate_sequence

__all__ = ['sample_specs', 'Sensor', 'SENSORS', 'SequenceSpec', 'simulate', 'simulate_sequence',
           'WorldConfig', 'WORLDS']
