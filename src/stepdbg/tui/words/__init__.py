"""Sentences: what a phase did, and where inside a phase one stands. Pure functions of a stop; begin with `sentence`."""
