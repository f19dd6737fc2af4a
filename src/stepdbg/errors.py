"""The exceptions of stepdbg, few and named for what the user can do about them.

StepdbgError              one clear line, with the remedy
├── UsageError            the command line or the surroundings are not as they must be: exit status 2
├── ProtocolError         a peer sent what is no message: that one connection ends
├── SessionError          there is no such session, or it has ended
│   └── OtherVersion      its hub is of another version of stepdbg
├── LoopError             a generator loop yielded something that is no phase (a TypeError too)
├── SaveError             a file could not be written; nothing is left behind
│   └── FileExists        there is something of that name already
└── InputError            what somebody has typed or written cannot be read (a ValueError too)
    ├── FilterError       a filter of the list of objects
    ├── SliceError        the indices of a part of a tensor
    ├── ConditionError    a condition on the elements of a tensor
    └── SettingsError     a file of settings that is no TOML

Exceptions that never leave the process they are raised in, each defined beside what raises it; the user sees none:

Refused                   a question that has no answer at this stop: its text is the answer (tracer/refused.py)
HubLost                   nobody is there to serve a stop for any more (tracer/session/connection.py)
Unreadable                the values of this tensor cannot be read (tracer/tensors/readable.py)
Problem                   a condition or a watch has raised, or did not end
                          (tracer/breakpoints/conditions/evaluation.py)
NotYet                    a condition asks for what training has not made yet
                          (tracer/breakpoints/conditions/vocabulary.py)
Waits                     what a condition asks would wait for a device: a BaseException, since the script's own code
                          may catch others (tracer/breakpoints/late/unwaiting.py)
CannotForesee             the next step cannot be worked out ahead (tracer/foresight/parts.py)
Gone                      what was edited is not there any more (tracer/edit/targets.py)
Interrupted               the user has interrupted what the console evaluates: a KeyboardInterrupt
                          (tracer/python/interruptions.py)
GoOn                      training goes on: a BaseException, since a script's signal handler may run in between
                          (tracer/session/signal_handlers.py)
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


class OtherVersion(SessionError):
    """The session's hub is of another version of stepdbg."""

    def __init__(self, what: str, version: int | None) -> None:
        super().__init__(what)
        self.version = version
        """The version of the protocol that the hub speaks; None where it has not said."""


class LoopError(StepdbgError, TypeError):
    """A generator loop yielded something that is no phase."""


class SaveError(StepdbgError):
    """A file could not be written, with the reason."""


class FileExists(SaveError):
    """There is a file, a folder or something else of that name already."""


class InputError(StepdbgError, ValueError):
    """What somebody has typed or written cannot be read; the text says what could stand there."""


class FilterError(InputError):
    """The text is no filter of the list of objects."""


class SliceError(InputError):
    """The text names no part of a tensor, or none of one of that shape."""


class ConditionError(InputError):
    """The text is no condition on the elements of a tensor."""


class SettingsError(InputError):
    """A file of settings, or what is kept of a script, is no TOML."""
