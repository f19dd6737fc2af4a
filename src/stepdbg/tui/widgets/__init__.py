"""The widgets: each holds a cursor and a scroll position, and draws what a view makes of the snapshot."""
