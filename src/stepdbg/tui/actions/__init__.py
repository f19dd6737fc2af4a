"""What a key does: the registry of actions, whether each applies, what carries it out, its names, and why it does
nothing where it does not apply. Begin with `registry`.
"""
