"""Which parameters are tied: one tensor in several places of a model, or in different modules of several."""

from __future__ import annotations

from stepdbg.tracer.checks.moment import Moment


def ties(moment: Moment) -> dict[str, tuple[str, ...]]:
    """The further names of parameters, by the first one.

    A part of a model that is a model of its own too (an encoder that is called by itself) has two names for one place:
    that is no tie.
    """
    found = {name: others for name, others in moment.registry.also.items() if name in moment.parameters}
    if not found:
        return {}
    modules = {name: id(module) for name, module in moment.modules()}
    roots = [name for name, _ in moment.models]

    def root(name: str) -> str:
        return max((one for one in roots if name.startswith(f"{one}.")), key=len, default="")

    def place(name: str) -> tuple[int | None, str]:
        module, _, key = name.rpartition(".")
        return modules.get(module), key

    tied = {
        name: tuple(one for one in others if root(one) == root(name) or place(one) != place(name))
        for name, others in found.items()
    }
    return {name: others for name, others in tied.items() if others}
