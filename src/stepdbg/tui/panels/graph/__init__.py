"""The autograd graph behind a tensor."""
