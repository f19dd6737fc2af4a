"""The calls that make an update of the weights: zero_grad, unscale, clip and step, a step by hand, an update that is
compiled or replayed as a whole. Begin with `optimizers`.
"""
