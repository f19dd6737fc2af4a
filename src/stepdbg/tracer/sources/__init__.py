"""The two ways to make boundaries: a generator loop's yields, and hooks on torch's own entry points (of optimizers:
`updates`).
"""
