"""Stops that lie within a phase, or at a line between two: begin with `inner_stops`."""
