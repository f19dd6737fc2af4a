"""A shipped fake debuggee: it speaks the protocol and goes through a recorded training, with no torch.

For driving hub and screen in tests and in `make serve`, and, as `python -m stepdbg.testing`, a target that the real
program can debug. Its stops and answers are those of the real tracer (`make record`); `debuggee` steers, `replay` finds
the answers in a `recording`.
"""

from stepdbg.testing.debuggee import FakeDebuggee, vanish_all

__all__ = ["FakeDebuggee", "vanish_all"]
