"""stepdbg: a step debugger for PyTorch training, in a terminal."""
