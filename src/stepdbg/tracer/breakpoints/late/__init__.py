"""Conditions on what lies on a device, evaluated there and read at a later boundary: nothing waits for them.

Begin to read in `verdicts`: what was asked, and what has come of it. The room knows how an expression is evaluated, and
not which breakpoint it belongs to.
"""
