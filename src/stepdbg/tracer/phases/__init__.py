"""Where training is: which phase, update, epoch, and what comes next, from what has happened and from the user's own
loops. Nothing here knows torch; begin with `tracker`.
"""
