"""What the hub keeps of the past: the stops and losses, the answers that were given at them, and the files they point
to. Everything is bounded; begin with `timeline`.
"""
