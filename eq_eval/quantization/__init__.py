"""From the float32 graph of a bundle to graphs of lower precision, and what those cost."""
