"""Keeping `torch.compile` off our own code: it must compile what it compiles without us, and nothing else.

A frame that runs while the compiler listens is compiled, be it ours. So the codes of our wrappers are marked to be run
as they are, with what they call compiled as ever; all other code of ours, with everything that it calls, is left alone.
`torch._dynamo` is not imported for it: that takes a second or two from whoever does not compile.
"""

from __future__ import annotations

import inspect
import sys
from types import CodeType, FunctionType

import torch


def step_over(code: CodeType, *, and_within: bool = False) -> None:
    """Have frames of that code run as they are; `and_within`, what they call as well.

    Up to torch 2.6 there is `skip_code`, written in C, which marks a code alone; from then on what it is made of.
    """
    frame_evaluation = torch._C._dynamo.eval_frame
    if hasattr(frame_evaluation, "skip_code"):
        frame_evaluation.skip_code(code)
    elif hasattr(frame_evaluation, "set_code_exec_strategy"):
        action = frame_evaluation._FrameAction
        within = action.SKIP if and_within else action.DEFAULT
        frame_evaluation.set_code_exec_strategy(code, frame_evaluation._FrameExecStrategy(action.SKIP, within))


def leave_alone(package: str) -> None:
    """Mark every function and method of the package's modules that are loaded."""
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{package}."):
            for thing in list(vars(module).values()):
                if getattr(thing, "__module__", None) == name:
                    for function in _functions_of(thing):
                        step_over(function.__code__, and_within=True)


def _functions_of(thing: object) -> list[FunctionType]:
    if inspect.isfunction(thing):
        return [inspect.unwrap(thing)]
    if not inspect.isclass(thing):
        return []
    found = []
    for value in vars(thing).values():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if inspect.isfunction(function):
            found.append(function)
    return found
