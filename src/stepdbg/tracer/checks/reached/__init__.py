"""What gradients reach: where a graph is cut, what becomes of a gradient, and what should get none."""
