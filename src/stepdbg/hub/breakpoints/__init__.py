"""The session's breakpoints: their table, and how one is written and read as text. Nothing here knows a rank or a
client; begin with `table`.
"""
