"""The state of a session and how messages move it, whom it is told to, and what the user is told beside it. No socket
is known here; begin with `session`.
"""
