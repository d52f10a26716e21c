"""Proposals of a model for the labels of a recording, to be corrected by people."""
