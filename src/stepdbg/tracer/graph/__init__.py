"""The autograd graph behind a tensor, walked a bit at each question, and what it has saved for backward. Begin with
`graphs`.
"""
