"""Lines of the user's code that somebody waits for, while all others run as ever. Standard library only.

Begin with `watch`: by `monitored` on Python 3.12 and later, by `traced` before.
"""
