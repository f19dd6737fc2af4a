"""The session's watches: their table. Nothing here knows a rank or a client; begin with `table`."""
