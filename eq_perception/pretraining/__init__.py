"""Self-supervised pre-training of the shared BEV network."""
