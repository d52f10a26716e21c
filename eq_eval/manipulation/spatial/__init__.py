"""Simulated tasks of pick and place in which objects and targets are tilted every way."""
