"""The training process as one of a session: its line to the hub, its rank, which thread is followed, the script's
signal handlers, and the numbers that it reports. Begin with `connection`.
"""
