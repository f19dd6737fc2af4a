"""`stepdbg trace`: the command, the file that its lines go to, how the target ends, and where it hangs, on request.

Begin to read in `command`. Everything here runs in the process of the command, as a client of the session's hub.
"""
