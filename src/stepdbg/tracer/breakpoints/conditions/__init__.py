"""Expressions of a breakpoint or a watch: compiled once, evaluated where training stands, with the user's words.

Begin to read in `evaluation`. What an expression can name beside the script's variables is in `vocabulary`. The room
knows what is alive, and not which breakpoint an expression belongs to.
"""
