"""A boundary, and the stop that it may become: whether training stops there, how the stop is described and served, and
what a traced run tells instead. Begin with `tracer`.
"""
