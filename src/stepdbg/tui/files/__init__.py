"""What is copied, saved and kept: the clipboard, tensors, tables and the screen as files, and what is remembered of a
script. Begin with `copy_and_save`.
"""
