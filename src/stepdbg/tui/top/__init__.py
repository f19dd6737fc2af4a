"""The lines above the panels: header, phase rail, timeline and ranks. Begin with `top`."""
