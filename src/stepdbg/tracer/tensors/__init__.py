"""Tensors as memory: what of one can be read, its statistics, windows, pieces, searches, and what is asked of a device.
No name and no session is known here; begin with `readable`.
"""
