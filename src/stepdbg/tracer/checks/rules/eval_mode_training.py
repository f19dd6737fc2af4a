"""A step is made with gradients that came through a model in evaluation mode: its dropout did nothing, its batch
normalisation did not learn.

Told where all of a model that holds such a module is in evaluation mode, or a dropout beside parameters that are
trained is. A batch normalisation frozen by itself is legal, and so is a frozen body; a forward whose gradients no step
uses (an attack on the input, an attribution) is not told.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.modes import drops, modes_of, sensitive
from stepdbg.tracer.checks.moment import Moment, Place, at, some
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.layout import in_training, members_of, parameters_in


class EvalModeTraining(Rule):
    """The rule `eval-mode-training`."""

    name = "eval-mode-training"

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, list[str], list[str], Place | None]] = {}
        """By the name of a model: in words what is in evaluation mode, those modules, the parameters that are trained
        through them, and where it was called."""
        self._pending: dict[str, tuple[str, list[str], list[str], Place | None]] = {}
        """The same of forwards that no backward has followed yet."""
        self._trained = self._wrong = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        self._drop(moment)
        if moment.done == "zero_grad":
            self._found.clear()
        elif moment.done == "backward":
            for name, (words, modules, trained, place) in self._pending.items():
                came = [one for one in trained if one in moment.written]  # (an attack asks for those of its input)
                if came:
                    self._found[name] = words, modules, came, place
            self._pending.clear()
        elif moment.done == "step" and moment.optimizer is not None and not moment.skipped:
            held = set(moment.held_by(moment.optimizer[1]))
            for name, (words, modules, trained, place) in [*self._found.items()]:
                stepped = [one for one in trained if one in held and one in moment.reached]
                if stepped:
                    self._wrong = True
                    yield self._finding(moment, words, modules, stepped, place)
                del self._found[name]
        if moment.comes == "forward" and moment.coming_model is not None:
            self._see(moment, *moment.coming_model)

    def _drop(self, moment: Moment) -> None:
        """Leave out gradients that the script has dropped itself."""
        freed = {
            one.object.removesuffix(".grad") for one in moment.effects if one.kind == "grad" and one.what == "freed"
        }
        for name, (words, modules, trained, place) in [*self._found.items()]:
            if not freed.isdisjoint(trained):
                self._found[name] = words, modules, [one for one in trained if one not in freed], place

    def _see(self, moment: Moment, name: str, model: nn.Module) -> None:
        """See in which mode a model is about to be called with gradients."""
        self._pending.pop(name, None)
        modules = [*sensitive(name, model)]
        self._trained = self._trained or any(in_training(one) for _, one, _ in modules)
        if modules and modes_of(model) == {False}:
            names = [one for one, _, _ in modules]
            trained = _names_of(moment, model)
            self._pending[name] = f"all of {name}", names, trained, moment.here
            return
        off = [(one, holder) for one, module, holder in modules if drops(module) and not in_training(module)]
        beside = [(one, holder) for one, holder in off if _trains_beside(holder)]
        if beside:
            trained = [one for _, holder in beside for one in _names_of(moment, holder)]
            names = [one for one, _ in beside]
            self._pending[name] = some(names), names, [*dict.fromkeys(trained)], moment.here

    def _finding(
        self, moment: Moment, words: str, modules: list[str], stepped: list[str], place: Place | None
    ) -> Finding:
        several = words.startswith("all of ") or len(modules) == 1
        return self.finding(
            moment,
            f"{words} {'is' if several else 'are'} in evaluation mode while it is trained: {some(modules)} "
            f"{'does' if len(modules) == 1 else 'do'} not do what training needs",
            objects=modules,
            place=place,
            evidence=f"{len(modules)} module{'s' if len(modules) > 1 else ''} that differ by mode; the step at "
            f"{at(moment.place)} moves {len(stepped)} parameters by gradients that came through",
            cause=f"eval() was called and train() was not called again before the forward at {at(place)}",
            fix="call model.train() at the start of each training epoch, after any evaluation",
        )

    def forget(self) -> None:
        self._found.clear()
        self._pending.clear()

    def right(self) -> str:
        return (
            "what differs by mode is in training mode while it is trained" if self._trained and not self._wrong else ""
        )


def _names_of(moment: Moment, module: nn.Module) -> list[str]:
    """The names of the parameters of a module that require gradients."""
    names = moment.name_of
    return [names[id(one)] for one in parameters_in(module) if one.requires_grad and id(one) in names]


def _trains_beside(holder: nn.Module) -> bool:
    """Whether a module trains parameters of its own or of the modules right within it."""
    parameters, _, children = members_of(holder)
    own = [one for one in parameters.values() if one is not None]
    for child in children.values():
        if child is not None:
            own += [one for one in members_of(child)[0].values() if one is not None]
    return any(one.requires_grad for one in own)
