"""Whether an exception that is on its way through the user's frames will be caught by any of them: begin with `fate`.

Told from the bytecode of the frames; none of the script's code runs for it. May know `introspect`.
"""
