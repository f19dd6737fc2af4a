"""`stepdbg check`: the command, what becomes of the findings on their way, and how they are printed.

Begin to read in `command`. Everything here runs in the process of the command, as a client of the session's hub.
"""
