"""Watchpoints: a value that is looked at before each phase and after each, until it does what is waited for.

Begin to read in `watchpoint`: one value, or all that a pattern fits, and when training is to stop for it. What a name
leads to is in `names`, what is kept of a value in `readings`. This room knows what is alive, and not who stops
training.
"""
