"""Stepping into a phase: what is hooked while one is stepped into, and the stops that lie within it."""
