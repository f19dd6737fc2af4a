"""Edits of the user's: an expression is evaluated, fitted to what it is written to, written, and can be taken back.
Begin with `editor`.
"""
