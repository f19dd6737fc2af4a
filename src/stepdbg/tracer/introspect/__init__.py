"""Looks at the script that nothing of it can notice: its frames, its variables, its objects' words, with no code of its
own run. Begin with `unobserved`.
"""
