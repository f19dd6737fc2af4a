"""The terminal that the screen is on: what is written to it, what is read, and how it is left. Begin with
`terminal_app`.
"""
