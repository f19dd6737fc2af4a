"""What the screen knows: frozen snapshots, how a message makes the next one, and what is still to be asked. Nothing
here draws; begin with `snapshot`.
"""
