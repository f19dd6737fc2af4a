"""What all panels have in common: the widget that each is built on, their names, and the ways that lead from one to
another. Begin with `panel`.
"""
