"""Sentences: what a phase did, and where inside a phase one stands. Pure functions of a stop; begin with `sentence`,
which puts what the phase itself did (`phase_done`) between what came before and after.
"""
