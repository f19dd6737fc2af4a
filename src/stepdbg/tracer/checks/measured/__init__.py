"""What the heuristic rules measure: norms at each step and the losses (`steps`), and what the nodes of a loss's graph
have saved of inputs and activations (`saved_values`).

Measured once for all rules, and only where one of them is on.
"""
