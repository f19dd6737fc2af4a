"""What a phase did: fingerprints of everything alive before and after, held against each other, and whose doing it was.
Begin with `effects`.
"""
