"""The exceptions of stepdbg, few and named for what the user can do about them.

StepdbgError
├── UsageError        the command line or the surroundings are not as they must be: exit status 2
├── ProtocolError     a peer sent what is no message
├── SessionError      there is no such session, or it has ended
└── LoopError         a generator loop yielded something that is no phase
"""

from __future__ import annotations


class StepdbgError(Exception):
    """Base of all; its text is one clear line with the remedy."""


class UsageError(StepdbgError):
    """The command line or the surroundings are not as they must be; ends the program with exit status 2."""


class ProtocolError(StepdbgError):
    """A peer sent what is no message; ends that one connection."""


class SessionError(StepdbgError):
    """There is no such session, or it has ended."""


class LoopError(StepdbgError, TypeError):
    """A generator loop yielded something that is no phase."""
