"""What is alive and what the user calls it: models, parameters, gradients, optimizers and their state, batch, outputs,
loss. Everything is held weakly but at a stop; begin with `registry`.
"""
