"""Python of the user's at a stop: the console, its names and completion, the variables of a frame, and how a command is
interrupted. Begin with `console`.
"""
