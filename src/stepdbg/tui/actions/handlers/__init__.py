"""What each action does, loaded when the first frame is on the screen. Begin with `handlers`, which the rows of the
registry name; what concerns one panel alone is in that panel's folder.
"""
