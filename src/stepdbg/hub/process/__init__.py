"""The hub as a process among others: its server, the lines to clients and ranks, who is at their other end, and the
file that tells of the session. Begin with `server`.
"""
