"""Models, parameters, gradients, batch, outputs and loss as a tree of rows."""
