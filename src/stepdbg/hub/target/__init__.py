"""The script and the terminal that it believes to be on: the keeper holds the terminal and outlives hub and screens,
the leader starts the target. Begin with `keeper`.
"""
