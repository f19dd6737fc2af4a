"""Which panels stand where at which size, how one goes from one to another and back, and the bars around them. Begin
with `panels`.
"""
