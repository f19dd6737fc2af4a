"""Answers to what the screen asks at a stop about objects: rows, figures, heat maps, images, owners, files. Begin with
`inspector`, which knows who answers what.
"""
