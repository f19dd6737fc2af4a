"""What is typed: the command line understood, and all that it takes in words.

Begin to read in `parse`. It is read before the first paint, and imports nothing heavy.
"""
