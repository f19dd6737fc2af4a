"""Panels that only show text: the losses, and what the script printed."""
