"""A torch network that runs as an inference session does."""

from __future__ import annotations

import torch


class Network:
    """Runs a torch network as a session does."""

    def __init__(self, network: torch.nn.Module) -> None:
        """Keeps the network."""
        self.network = network.eval()

    @torch.no_grad()
    def run(self, inputs):
        """From inputs to outputs, by name."""
        answer = self.network(*(torch.from_numpy(value) for value in inputs.values()))
        return {name: value.numpy() for name, value in answer.items()}
