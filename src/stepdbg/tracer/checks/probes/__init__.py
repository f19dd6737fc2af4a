"""Active probes: the script's own model is called again, in a copy of the process of which nothing comes back but
numbers (`copies`).

Only where the user has asked for one: the forward of a model is anybody's code.
"""
