"""An optimizer holds parameters that the model no longer has: a layer was replaced, or the model copied, after it was
made.

Told where three things are certain: no model in sight has the tensor, no variable refers to it, and no backward has
reached it in an update that is done; and where a parameter of a model is trained by nobody meanwhile, which is what
stands in its place. (An optimizer may hold what is not used yet, or lies out of sight: of that nothing is said.)
"""

from __future__ import annotations

from collections.abc import Iterable

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.membership import orphans_of, trained_by_nobody
from stepdbg.tracer.checks.moment import Moment, some
from stepdbg.tracer.checks.rule import Rule


class OrphanInOptimizer(Rule):
    """The rule `orphan-in-optimizer`."""

    name = "orphan-in-optimizer"

    def __init__(self) -> None:
        self._whole = False
        """Whether each optimizer held nothing but parameters of models so far."""

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.done != "step" or moment.optimizer is None:
            return
        name, optimizer = moment.optimizer
        orphans = [*orphans_of(moment, optimizer)]
        self._whole = not orphans
        instead = trained_by_nobody(moment) if orphans else []
        if not orphans or not instead:
            return
        shapes = some(dict.fromkeys("×".join(map(str, one.shape)) or "a number" for _, one in orphans))
        held = len(moment.held_by(optimizer))
        yield self.finding(
            moment,
            f"{name} holds {len(orphans)} parameter{'s' if len(orphans) > 1 else ''} that no model has any more, and "
            f"not {some(instead)}, which {'get' if len(instead) > 1 else 'gets'} the gradients",
            objects=[one for one, _ in orphans],
            place=moment.place,
            evidence=f"{len(orphans)} of the {held} parameters of {name} ({shapes}) are in no model, and no backward "
            "has reached them",
            cause=f"{some(instead)} {'were' if len(instead) > 1 else 'was'} put into the model after {name} was made",
            fix=f"make {name} once the model is as it will be trained (layers replaced, weights tied, moved to its "
            "device)",
        )

    def right(self) -> str:
        return "optimizers hold nothing but parameters of the models" if self._whole else ""
