"""Where in the user's code the graph is cut between parameters and a loss, and which modules nothing ever calls.

Read from the code that leads to the loss: the statements that it is made by, in the user's frame; the functions that
these name; the forwards and other methods of the models' modules. It is told only where a single line does it.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

import torch
from torch import nn

from stepdbg.tracer.checks.moment import Moment, Place
from stepdbg.tracer.graph.forward_lines import line_that_cuts
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import members_of, modules_of, parameters_in
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.variable_uses import (
    behind,
    cut_before,
    cuts_off,
    lines_behind,
    lines_behind_results,
    lines_that_assign,
    lines_that_name,
)

_FUNCTIONS = 100
"""Pieces of code that are read at most."""


class Cut(NamedTuple):
    """A line that cuts a graph."""

    place: Place
    how: str
    """`by detach()`, `under no_grad()`."""


def cut_before_loss(moment: Moment, name: str, loss: torch.Tensor) -> Cut | None:
    """Where the graph was cut that a loss without one would have; None where that is not certain."""
    for frame, variable in _frames_with(moment, name, loss):
        code = frame.f_code
        cut = cut_before(code, frame.f_lasti, variable, partial(_needs_grad, frame))
        if cut is not None and cut.line is not None:
            return Cut((code.co_filename, cut.line), cut.how)
        codes = [one for one in _codes(moment, frame, variable) if one is not code]
        line = line_that_cuts(frame, variable)
        if line is not None:
            file = next((one.co_filename for one in codes if one.co_qualname == line.function), code.co_filename)
            return Cut((file, line.number), line.what if line.what.startswith("under") else f"by {line.what}")
        within = {
            Cut((one.co_filename, cut.line), cut.how if cut.how.startswith("under") else f"by {cut.how}")
            for one in codes
            for cut in cuts_off(one)
            if not lines_behind_results(one).isdisjoint(cut.lines)
        }
        if (found := _only(within)) is not None:
            return found
    return None


def _frames_with(moment: Moment, name: str, loss: torch.Tensor) -> Iterator[tuple[FrameType, str]]:
    """The user's frames that have bound a variable to a loss, each with the variable, innermost first."""
    for frame in moment.stack:
        if frames.origin(frame.f_code.co_filename) == "user":
            others = [key for key, value in frames.local_variables(frame).items() if value is loss and key != name]
            for variable in (name, *others):
                if frames.local_variable(frame, variable, None) is loss and lines_behind(
                    frame.f_code, frame.f_lasti, variable
                ):
                    yield frame, variable


def cut_behind(moment: Moment, name: str, loss: torch.Tensor, parameters: Collection[int]) -> Cut | None:
    """The only line that cuts these parameters off from a loss; None where there are several, or none.

    Args:
        moment: Where backward is about to be called.
        name: What the user calls the loss.
        loss: Itself.
        parameters: The `id` of the parameters that the loss does not reach.
    """
    users = [one for one in moment.stack if frames.origin(one.f_code.co_filename) == "user"]
    if not users:
        return None
    frame, name = next(_frames_with(moment, name, loss), (users[0], name))
    held = _names_of(moment, frame, parameters)
    found = set()
    for code, line in _decorated(moment, parameters):
        found.add(Cut((code.co_filename, line), "under no_grad()"))
    for code in _codes(moment, frame, name):
        towards = lines_behind(code, frame.f_lasti, name) if code is frame.f_code else lines_behind_results(code)
        for cut in cuts_off(code):
            if not held.isdisjoint(cut.names) and not towards.isdisjoint(cut.lines):
                how = cut.how if cut.how.startswith("under") else f"by {cut.how}"
                found.add(Cut((code.co_filename, cut.line), how))
    return _only(found)


def _only(found: Collection[Cut]) -> Cut | None:
    """The cut that is told of these; None where several lines cut, or none."""
    return min(found, key=lambda cut: cut.how) if len({cut.place for cut in found}) == 1 else None


def line_of_unused(moment: Moment, parameters: Collection[int]) -> tuple[str, Place] | None:
    """The module that holds these parameters, and the line of the user's that makes it, where no code of the user's
    reads it: the class that has it names it nowhere but where it is made.
    """
    for name, parent in moment.modules():
        for key, child in members_of(parent)[2].items():
            own = {id(one) for one in parameters_in(child) if one.requires_grad} if child is not None else set()
            if not own or not own <= set(parameters) or not key.isidentifier():
                continue
            codes = [one for one in _methods(parent) if frames.origin(one.co_filename) == "user"]
            made = [(code, line) for code in codes for line in lines_that_assign(code, key)]
            if len(made) == 1 and type(parent).forward is not nn.Module.forward:
                code, line = made[0]
                others = [one for one in (*codes, *_all_codes(moment)) if set(lines_that_name(one, key)) - {line}]
                if not others and not _goes_through_children(codes):
                    return f"{name}.{key}", (code.co_filename, line)
    return None


def _goes_through_children(codes: Iterable[CodeType]) -> bool:
    """Whether some of this code may come by its modules without their names."""
    asked = ("children", "modules", "named_children", "named_modules", "_modules", "getattr", "get_submodule")
    return any(lines_that_name(code, one) for code in codes for one in asked)


def _names_of(moment: Moment, frame: FrameType, parameters: Collection[int]) -> frozenset[str]:
    """The variables and attributes that lead to these parameters and to no others that are trained."""
    found = set()
    for name, module in moment.modules():
        own = {id(one) for one in parameters_in(module) if one.requires_grad}
        if own and own <= set(parameters):
            found.add(name.rpartition(".")[2])
        elif not own.isdisjoint(parameters):
            found |= {key for key, one in members_of(module)[0].items() if one is not None and id(one) in parameters}
    for variables in (frame.f_globals, frames.local_variables(frame)):
        for name, value in list(variables.items()):
            if is_a(value, nn.Module):
                own = {id(one) for one in parameters_in(value) if one.requires_grad}
                if own and own <= set(parameters):
                    found.add(name)
    return frozenset(one for one in found if one.isidentifier())


def _codes(moment: Moment, frame: FrameType, name: str) -> list[CodeType]:
    """The user's code that leads to a loss: the frame's own, the functions that it names, and the models' methods."""
    found: dict[int, CodeType] = {id(frame.f_code): frame.f_code}
    variables = {**frame.f_globals, **frames.local_variables(frame)}
    ahead = [variables.get(one) for one in behind(frame.f_code, frame.f_lasti, name)]
    for value in ahead:  # grows as it is gone through
        if type(value) is FunctionType and len(found) < _FUNCTIONS:
            code = value.__code__
            if id(code) not in found and frames.origin(code.co_filename) == "user":
                found[id(code)] = code
                ahead += [value.__globals__.get(one) for one in code.co_names]
    called: list[Any] = [one for one in ahead if is_a(one, nn.Module)]
    for module in (*called, *(one for _, model in moment.models for _, one in modules_of(model))):
        for code in _called_methods(module):
            if frames.origin(code.co_filename) == "user" and len(found) < _FUNCTIONS:
                found[id(code)] = code
    return list(found.values())


def _called_methods(module: nn.Module) -> Iterator[CodeType]:
    """The forward of a module, and the methods that it names."""
    methods: dict[str, CodeType] = {}
    for kind in reversed(type.mro(type(module))):
        methods.update((key, _bare(one).__code__) for key, one in vars(kind).items() if type(one) is FunctionType)
    seen: set[str] = set()
    ahead = ["forward", "training_step"]
    for name in ahead:  # grows as it is gone through
        if name in methods and name not in seen:
            seen.add(name)
            yield methods[name]
            ahead += methods[name].co_names


def _methods(module: nn.Module) -> list[CodeType]:
    """All methods that the classes of a module define."""
    return [
        _bare(one).__code__
        for kind in type.mro(type(module))
        if kind is not nn.Module
        for one in vars(kind).values()
        if type(one) is FunctionType
    ]


def _all_codes(moment: Moment) -> Iterator[CodeType]:
    """The user's frames, and the functions and methods that the modules of these define."""
    for frame in moment.stack:
        if frames.origin(frame.f_code.co_filename) != "user":
            continue
        yield frame.f_code
        for value in list(frame.f_globals.values()):
            functions: Iterable[Any] = vars(value).values() if type(value) is type else (value,)
            yield from (_bare(one).__code__ for one in functions if type(one) is FunctionType)


def _decorated(moment: Moment, parameters: Collection[int]) -> Iterator[tuple[CodeType, int]]:
    """The forwards of modules that hold only these parameters, if a decorator switches recording off in them."""
    for _, module in moment.modules():
        own = {id(one) for one in parameters_in(module) if one.requires_grad}
        if not own or not own <= set(parameters):
            continue
        forward = next((vars(one)["forward"] for one in type.mro(type(module)) if "forward" in vars(one)), None)
        if type(forward) is FunctionType and _switches_off(forward):
            code = _bare(forward).__code__
            if frames.origin(code.co_filename) == "user":
                yield code, code.co_firstlineno


def _switches_off(function: FunctionType) -> bool:
    """Whether torch's decorator has made a function, as `@torch.no_grad()` does."""
    file = getattr(sys.modules.get("torch.utils._contextlib"), "__file__", None)
    return file is not None and function.__code__.co_filename == file


def _bare(function: FunctionType) -> FunctionType:
    """A function without torch's decorator."""
    inner = function.__dict__.get("__wrapped__")
    return inner if _switches_off(function) and type(inner) is FunctionType else function


def _needs_grad(frame: FrameType, name: str) -> bool | None:
    value = frames.local_variable(frame, name, None)
    return bool(value.requires_grad) if is_a(value, torch.Tensor) else None
