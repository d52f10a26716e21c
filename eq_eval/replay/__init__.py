"""Replay: a recording through the live ROS 2 graph, everything recorded and accounted for."""
