"""Recorded traces: a boundary as a line of JSON. No torch, no screen; begin with `line`."""
