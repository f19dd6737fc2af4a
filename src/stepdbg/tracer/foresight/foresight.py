"""What the next step would do to a parameter, taken apart, and afterwards whether it did so.

Everything is computed on copies, a piece at a time, in double precision: no tensor of the training is written to, no
random number is drawn, and no more than some megabytes are needed, whatever the size. It is done when it is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from msgspec.structs import replace

from stepdbg.protocol import messages as m
from stepdbg.tracer.effects.effects import ObjectSnapshot
from stepdbg.tracer.effects.step_progress import Reached, StepProgress
from stepdbg.tracer.foresight import formulas as update_formulas
from stepdbg.tracer.foresight import predictions, rehearsal
from stepdbg.tracer.foresight.gradient_scaling import Before, Clip, GradientScaling
from stepdbg.tracer.foresight.moves import Sums, piece_on
from stepdbg.tracer.foresight.parts import (
    ORDER,
    CannotForesee,
    Place,
    Ready,
    clipping,
    is_fresh,
    length_of,
    moved,
    own_part,
)
from stepdbg.tracer.foresight.predictions import Predictions, Sample
from stepdbg.tracer.handler import AtStop, Handler
from stepdbg.tracer.introspect.layout import groups_of, parameters_of_group
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.objects.unwrap import key_of
from stepdbg.tracer.tensors.pieces import Index, pieces

WHOLE = 1 << 18
"""Elements up to which a step that needs the whole matrix is rehearsed."""


class UpdatePreview(Handler):
    """Answers `Foresee`, and remembers what it has answered until the step has run."""

    answers = (m.Foresee,)

    def __init__(self, registry: Registry, gradient_scaling: GradientScaling) -> None:
        self._registry = registry
        self._scaling = gradient_scaling
        self._boundary: m.Boundary | None = None
        self._snapshot: ObjectSnapshot = {}
        self._since = 0
        """The time at which the update opened that the gradients are of (`monotonic_ns`)."""
        self._coming: Any = None
        """Whose phase comes next; None where that is not known."""
        self._midstep: StepProgress | None = None
        """The step that training waits inside of."""
        self._known: dict[tuple[str, str], m.Foresight] = {}
        self._predictions = Predictions()

    def open(self, at: AtStop) -> None:
        """Training has stopped."""
        self._boundary, self._snapshot, self._since = at.boundary, at.snapshot, at.opened_ns
        self._coming, self._midstep = at.coming, at.midstep

    def close(self) -> None:
        """Training goes on; what was promised is kept."""
        self._boundary = self._coming = self._midstep = None
        self._snapshot = {}
        self._known.clear()

    def edited(self) -> None:
        """Something is being edited: what was foretold holds no more."""
        self._known.clear()
        self._predictions.clear()

    def answer(self, query: m.Foresee) -> m.Result:
        """The answer, computed once at each stop; only the one element is looked at anew."""
        name = self._parameter(query.object)
        places = self._places(name)
        if not places:
            optimizers = [named.name for named, _ in self._registry.optimizers()]
            if not optimizers:
                return m.Refusal("there is no optimizer yet")
            return m.Refusal(f"{name} is in no optimizer ({', '.join(optimizers)}): no step will change it")
        first, *further = (self._answered(place, query.element) for place in places)
        return replace(first, further=tuple(further))

    def _answered(self, place: Place, element: tuple[int, ...] | None) -> m.Foresight:
        known = self._known.get(place.key)
        if known is None:
            known = self._known[place.key] = self._foresight(place)
        return self._with_element(known, place, element)

    # finding

    def _parameter(self, name: str) -> str:
        entry = self._registry.alive.get(name)
        if entry is not None and entry.kind == "grad":
            return entry.owner
        if entry is not None and entry.kind == "state":
            return name[name.index("[") + 1 : name.rindex("]")]
        return name

    def _places(self, name: str) -> list[Place]:
        """A place for each optimizer that holds the parameter."""
        entry = self._registry.alive.get(name)
        if entry is None or entry.tensor is None:
            return []
        return [
            Place(name, entry.tensor, named, optimizer, index)
            for named, optimizer in self._registry.optimizers()
            for index, group in enumerate(groups_of(optimizer))
            if any(parameter is entry.tensor for parameter in parameters_of_group(group))
        ]

    # foretelling

    def _foresight(self, place: Place) -> m.Foresight:
        clip = self._scaling.clip_since(self._since)
        midstep = self._midstep
        reached = midstep.reached(place.name, place.optimizer, self._registry) if midstep is not None else ""
        blank = m.Foresight(
            object=place.name,
            optimizer=place.named.name,
            cls=type(place.optimizer).__name__,
            group=place.group,
            steps=place.named.steps,
            kept=None if reached else self._verified(place),
            reached=reached if reached in ("moved", "to come") else "",
        )
        try:
            if reached == "at work":
                raise CannotForesee("step is at work on it, so it is half done: what comes of it is seen afterwards")
            ready = self._ready(place, clip)
        except CannotForesee as why:
            return replace(blank, why_not=str(why))
        sums = Sums()
        samples: list[Sample] = []
        passed, sampled, share = 0, 0, min(1.0, predictions.SAMPLES / max(1, ready.value.numel()))
        for index, value, parts, total in self._pieces(place, ready):
            sums.add(value, parts, total)
            passed += total.numel()
            if sampled + total.numel() <= passed * share:
                sampled += total.numel()
                sizes = sum((part.abs() for part in parts.values()), total.abs())
                samples.append((index, value + total, sizes.to(torch.float32)))
        self._predict(place, ready, sums, samples)
        module = ready.module
        moved = [source for source in ORDER if source == "gradient" or sums.squares.get(source, 0.0) != 0]
        moves = tuple(sums.move(source) for source in moved)
        return replace(
            blank,
            norm=math.sqrt(sums.value),
            total=sums.move("total"),
            moves=moves if module in update_formulas.FORMULAS else (),
            formula=update_formulas.in_signs(module, ready.group) if module in update_formulas.FORMULAS else "",
            fresh=is_fresh(ready.state) and not (module == "torch.optim.sgd" and not ready.group.get("momentum")),
            scale=ready.scale if ready.scale != 1.0 else None,
            clipping=clipping(clip, ready, math.sqrt(sums.without) if "clipping" in sums.squares else None),
            remarks=tuple(self._remarks(place, ready, sums, reached)),
        )

    def _ready(self, place: Place, clip: Clip | None) -> Ready:
        parameter, grad = place.parameter, gradient(place.parameter)
        module = rehearsal.module_of_step(place.optimizer)
        cls = type(place.optimizer).__name__
        if not module:
            raise CannotForesee(f"The step of {cls} is not torch's own: what it does is seen when it is done")
        if module == "torch.optim.lbfgs":
            raise CannotForesee("LBFGS calls its closure within step, so the gradient it will use is not there yet")
        if grad is None:
            raise CannotForesee("It has no gradient: step passes it over, without momentum and without decay")
        for tensor in (parameter, grad):
            if tensor.layout is not torch.strided or tensor.device.type == "meta" or tensor.is_quantized:
                raise CannotForesee(f"Its numbers are not laid out one by one ({tensor.layout}, {tensor.device})")
        parameter, grad = own_part(parameter), own_part(grad)
        entries = place.optimizer.state.get(place.parameter, {})
        state = {key: own_part(entry) if isinstance(entry, torch.Tensor) else entry for key, entry in entries.items()}
        group = dict(place.optimizer.param_groups[place.group])
        if module in ("torch.optim.adam", "torch.optim.adamw"):
            group.setdefault("decoupled_weight_decay", isinstance(place.optimizer, torch.optim.AdamW))
        by_formula = module in update_formulas.FORMULAS
        by_matrix = rehearsal.moves_by_matrix(module)
        if not (by_formula or by_matrix or rehearsal.moves_by_element(module)):
            raise CannotForesee(f"The step of {cls} is not known to stepdbg well enough")
        if by_matrix and parameter.numel() > WHOLE:
            raise CannotForesee(f"{cls} looks at the whole tensor, and this one is too large to be copied for that")
        entries = [entry for entry in state.values() if isinstance(entry, torch.Tensor) and entry.dim()]
        if by_formula and any(entry.shape != parameter.shape for entry in entries):
            raise CannotForesee(f"{cls} keeps state of another shape than the parameter's")
        scale = self._scaling.scale(place.optimizer, key_of(place.optimizer)) or 1.0
        at_clip = self._scaling.scale_at(clip, key_of(place.optimizer)) if clip is not None else 1.0
        factor, before = self._cut(place, clip, grad, at_clip / scale)
        raw = before.copy if before is not None and clip is not None and clip.by_value else None
        return Ready(parameter, grad, raw, factor, scale, at_clip, state, group, module)

    def _pieces(
        self, place: Place, ready: Ready
    ) -> Iterator[tuple[Index, torch.Tensor, dict[m.Source, torch.Tensor], torch.Tensor]]:
        """Piece by piece: where, the value, the parts of its move, the whole move."""
        shape = tuple(ready.value.shape)
        size = WHOLE if rehearsal.moves_by_matrix(ready.module) else piece_on(ready.value.device)
        for index in pieces(shape, size):
            value, parts, total = moved(place.optimizer, ready, index)
            yield index, value, parts, total

    def _with_element(self, known: m.Foresight, place: Place, element: tuple[int, ...] | None) -> m.Foresight:
        """What is foretold, with the figures of one element."""
        parameter = place.parameter
        if element is None or known.total is None or parameter.is_complex() or len(element) != parameter.dim():
            return known
        if not all(0 <= at < size for at, size in zip(element, parameter.shape, strict=True)):
            return known
        ready = self._ready(place, self._scaling.clip_since(self._since))
        if ready.value.shape != parameter.shape or rehearsal.moves_by_matrix(ready.module):
            return known
        value, parts, total = moved(place.optimizer, ready, element)
        here = {source: float(part) for source, part in parts.items()}
        moves = tuple(replace(move, here=here.get(move.source, 0.0)) for move in known.moves)
        whole = replace(known.total, here=float(total))
        return replace(known, element=element, value=float(value), moves=moves, total=whole)

    # clipping

    def _cut(
        self, place: Place, clip: Clip | None, grad: torch.Tensor, scaled: float
    ) -> tuple[float | None, Before | None]:
        """How much a clip has left of this gradient, and the gradient as it was before.

        Args:
            place: The parameter.
            clip: The call.
            grad: The gradient as it is now.
            scaled: By so much larger gradients were when they were clipped: a scaler's step has unscaled them since.
        """
        if clip is None:
            return None, None
        before = self._scaling.before(f"{place.name}.grad", self._since)
        if before is not None:
            now = length_of(grad) * scaled
            if before.norm > 0 and math.isfinite(before.norm) and math.isfinite(now):
                return min(1.0, now / before.norm), before
            return None, before
        if clip.by_value or clip.total is None:
            return None, None
        # nobody stood before the clip: believe its arithmetic, if the gradients are of the size that it leaves
        total, limit = float(clip.total), float(clip.limit)
        factor = min(1.0, limit / (total + 1e-6))
        grads = [found for group in place.optimizer.param_groups for p in group["params"]
                 if (found := gradient(p)) is not None]  # fmt: skip
        if any(one.layout is not torch.strided or one.device.type == "meta" for one in grads):
            return None, None
        left = math.hypot(*(length_of(own_part(one)) for one in grads)) * scaled
        return (factor, None) if abs(left - total * factor) <= 1e-3 * max(left, total * factor) else (None, None)

    def _remarks(self, place: Place, ready: Ready, sums: Sums, reached: Reached) -> Iterator[str]:
        optimizer = place.optimizer
        if reached == "unknown":
            yield "training is inside step, and nobody saw it begin: it may have moved this parameter already"
        if not math.isfinite(sums.squares.get("total", 0.0)):
            skip = "the GradScaler will skip this step" if ready.scale != 1.0 else "step would spread it to the weights"
            grad = length_of(ready.grad)
            if not math.isfinite(grad):
                yield f"the gradient holds NaN or infinity: {skip}"
        if ready.at_clip != 1.0 and ready.factor != 1.0:
            yield f"the clip saw gradients multiplied by {ready.at_clip:g}: scaler.unscale_ belongs before it"
        if not place.parameter.requires_grad:
            yield "frozen, but the optimizer still moves it, because its .grad is not None"
        if isinstance(rate := ready.group.get("lr"), (int, float, torch.Tensor)) and float(rate) == 0:
            yield "lr is 0"
        elif 0.0 in (sums.squares.get("gradient"), sums.squares.get("total")) and length_of(ready.grad) == 0:
            yield "the gradient is 0" + (": what moves it is left from before" if sums.squares["total"] else "")
        if getattr(optimizer, "_optimizer_step_pre_hooks", None):
            yield "a hook runs before this optimizer's step, and may change what it starts from"
        if ready.value is not place.parameter:
            yield "of the shard that this rank holds"

    # predicting

    def _predict(self, place: Place, ready: Ready, sums: Sums, samples: list[Sample]) -> None:
        """Remember what the parameter is to become, if its step comes next."""
        boundary = self._boundary
        if boundary is None or boundary.next != "step" or not math.isfinite(sums.largest):
            return
        if self._coming is not None and self._coming is not place.optimizer:  # the step of another one
            return
        grad = self._grad_print(place) if ready.scale == 1.0 else None
        self._predictions.remember(place, self._all_steps(place), grad, sums.largest, samples)

    def _verified(self, place: Place) -> m.Kept | None:
        """How the step compares with what was foretold of it; None where nothing was, or it has not run."""
        return self._predictions.verified(place, self._all_steps(place), self._grad_print(place))

    def _grad_print(self, place: Place) -> object:
        """The fingerprint of the gradient at this stop; None where there is none."""
        record = self._snapshot.get(f"{place.name}.grad")
        return record.print if record is not None else None

    def _all_steps(self, place: Place) -> int:
        return sum(each.named.steps for each in self._places(place.name))
