"""The session's breakpoints: their table. Nothing here knows a rank or a client; begin with `table`."""
