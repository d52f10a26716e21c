"""Offline: tasks, demonstrations and evaluation of pick and place."""
