"""What a list of objects shows: the tree of names, filters, search, and which effects are named. Logic on names and
figures only, with no torch and no screen, for the tracer and the fake debuggee alike; begin with `tree`. And the
lines of a file that have code, at which training can be stopped: `source_lines`.
"""
