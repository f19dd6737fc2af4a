"""A shipped fake debuggee: it speaks the protocol and trains a small network in plain Python, with no torch.

For driving hub and screen in tests and in `make serve`, and, as `python -m stepdbg.testing`, a target that the real
program can debug. The figures are real: the network learns, the effects are found by comparing, edits arrive in
training; only the names of the classes are borrowed.
"""

from stepdbg.testing.debuggee import FakeDebuggee, vanish_all

__all__ = ["FakeDebuggee", "vanish_all"]
