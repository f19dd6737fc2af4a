"""What the user watches, as the training process sees it: evaluated at each stop, and sampled in a free run.

Begin to read in `watches`: when a value is taken, and what is kept of it. How often a free run is sampled is in `pace`.
"""
