"""The first value that is not finite: found at the boundary after it, and told apart from all that only pass it on.

Begin to read in `checks`: what is looked at where, as cheaply as can be. Only where that finds one is the phase gone
through at finer grain: `explained` says which of the ways there are is taken. What these know is read off what the
phase has left, or off a child that is forked for it; nothing of the script's runs again in its own process.
"""
