"""Pure functions from a snapshot and a size to lines of text; no widget, no colour, no terminal."""
