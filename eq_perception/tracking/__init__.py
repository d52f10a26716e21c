"""Tracking of detected objects over time."""
