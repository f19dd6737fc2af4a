"""What optimizers and modules hold, and what they ought to: states that were loaded, the stages of a training, layers
that no module knows of. The rules of these names read it; it knows the moment, and no rule.
"""
