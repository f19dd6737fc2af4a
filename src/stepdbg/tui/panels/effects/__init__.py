"""What the phase did: the matrix of effects, the names in it, and the owners of one tensor."""
