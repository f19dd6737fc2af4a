"""The loss of one and the same batch does not fall when nothing but that batch is trained on: an active probe, in a
copy of the process.

The forward is made again with the arguments and the random state of the script's own call, and the loss again with the
labels that its node has saved: only where that gives the script's own number is it trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.loss_graph import Node, kind
from stepdbg.tracer.checks.measured.known_losses import ignored_class, known_loss, own_value
from stepdbg.tracer.checks.measured.saved_values import saved
from stepdbg.tracer.checks.moment import Moment
from stepdbg.tracer.checks.probes.copies import Answer, in_a_copy, why_not
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.layout import parameters_in
from stepdbg.tracer.introspect.safe_access import tensors_in

_FALL = 0.01
"""The loss falls by so much of what it was, at least."""
_RATES, _STEPS, _FEWEST = (1e-3, 1e-2, 1e-1), 60, 20
"""The learning rates of Adam that are tried one after the other, the steps with each, and the fewest that count."""
_SECONDS = 12.0
_CLOSE = 1e-3
"""The loss made again is the script's own up to this part."""
_NOTHING = 1e-6
"""A loss that is as small cannot fall."""
Loss = Callable[[Any], "torch.Tensor | None"]


class LossNotDecreasing(Rule):
    """The rule `loss-not-decreasing`."""

    name = "loss-not-decreasing"
    severity = "warning"
    exact = False
    probing = True

    def __init__(self) -> None:
        self._call: tuple[nn.Module, str, tuple[Any, ...], dict[str, Any], torch.Tensor] | None = None
        """The model that is called, and with what; until its backward."""
        self._done = False
        self._why = "no model was called before a backward"
        self._falls = ""

    def look(self, moment: Moment) -> Iterable[Finding]:
        if self._done:
            return
        if moment.comes == "forward" and (coming := moment.coming_model) is not None:
            call = moment.call
            if self._call is None or self._call[0] is not coming[1]:
                several = self._call is not None
                args, kwargs = call.get("args") or (), call.get("kwargs") or {}
                self._call = (coming[1], coming[0], args, kwargs, torch.get_rng_state())
                self._why = "several models are called for one loss" if several else ""
            else:
                self._why = "the model is called several times for one loss"
        elif moment.comes == "backward" and self._call is not None:
            call_, self._call, self._done = self._call, None, True
            yield from self._probe(moment, call_)

    def forget(self) -> None:
        self._call = None

    def right(self) -> str:
        return self._falls

    def unchecked(self) -> str:
        return f"{self.name}: {self._why}" if self._why else ""

    def _probe(
        self, moment: Moment, call: tuple[nn.Module, str, tuple[Any, ...], dict[str, Any], torch.Tensor]
    ) -> Iterator[Finding]:
        model, name, args, kwargs, random = call
        given = moment.arguments
        of: Any = given[0] if given else None
        node = known_loss(of.grad_fn) if type(of) is torch.Tensor and of.grad_fn is not None else None
        self._why = self._why or why_not()
        if node is None and not self._why:
            self._why = "the loss is not one of torch's own, and cannot be made again"
        loss = _again(node) if node is not None else None
        if loss is None:
            self._why = self._why or "the loss cannot be made again"
        if self._why or loss is None or node is None:
            return
        wanted = own_value(node)[1]
        if abs(wanted) <= _NOTHING and kind(node) != "NllLossBackward":
            self._why = "the loss is 0"
            return
        answer, self._why = in_a_copy(lambda: _train(model, args, kwargs, random, loss, wanted))
        if not self._why:
            yield from self._judge(moment, name, answer)

    def _judge(self, moment: Moment, name: str, answer: Answer) -> Iterator[Finding]:
        if "why" in answer:
            self._why = str(answer["why"])
            return
        first, least, steps = float(answer["first"]), float(answer["least"]), int(float(answer["steps"]))
        if first - least >= _FALL * abs(first):
            self._falls = f"the loss of one batch falls when it is trained on alone ({first:.3g} to {least:.3g})"
            return
        slope = float(answer["slope"])
        if slope == 0:
            cause = f"no parameter of {name} has a gradient other than 0"
        elif float(answer["spread"]) == 0:
            cause = f"{name} gives the same for every sample, whatever its input"
        else:
            cause = f"the gradients of {name} do not lead to a smaller loss of the batch"
        yield self.finding(
            moment,
            f"the loss does not fall when {name} is trained on one batch alone: it stays at {first:.3g}",
            objects=[name],
            evidence=f"in {steps} steps of Adam on one batch it fell from {first:.4g} to {least:.4g} (threshold: "
            f"{_FALL:.0%}); the largest gradient at first is {slope:.2g}",
            cause=cause,
            fix="look at what the model returns for that batch, and at what stands between it and the loss",
        )


def _again(node: Node) -> Loss | None:
    """The loss of an output, with the labels that a node has saved; None for an output that does not fit."""
    target, own = saved(node, "target"), saved(node, "self")
    if target is None or own is None:
        return None
    shape, what = own.shape, kind(node)

    def fitted(output: torch.Tensor) -> torch.Tensor | None:
        if output.shape == shape:
            return output
        if output.dim() == 3 and output.transpose(1, 2).shape == shape:
            return output.transpose(1, 2)
        return output.reshape(shape) if output.numel() == own.numel() else None

    def loss(output: torch.Tensor) -> torch.Tensor | None:
        one = fitted(output)
        if one is None:
            return None
        match what:
            case "NllLossBackward" | "NllLoss2DBackward":
                ignored = ignored_class(node)
                behind = next((other for other, _ in node.next_functions if other is not None), None)
                if kind(behind) == "LogSoftmaxBackward" and output.grad_fn is not behind:
                    return functional.cross_entropy(one, target, ignore_index=ignored)
                return functional.nll_loss(one, target, ignore_index=ignored)
            case "MseLossBackward":
                return functional.mse_loss(one, target)
            case "BinaryCrossEntropyBackward":
                return functional.binary_cross_entropy(one, target)
            case _:
                return functional.binary_cross_entropy_with_logits(one, target)

    return loss


def _train(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], random: torch.Tensor, loss: Loss, wanted: float
) -> Answer:
    """How far the loss falls; runs in the copy."""
    torch.set_rng_state(random)
    parameters = [one for one in parameters_in(model) if one.requires_grad]
    known = {id(one) for one in parameters}
    outputs = [one for _, one in tensors_in(model(*args, **kwargs)) if one.is_floating_point() and id(one) not in known]
    fitting = [(place, made) for place, one in enumerate(outputs) if (made := loss(one)) is not None]
    place = next((place for place, made in fitting if abs(float(made) - wanted) <= _CLOSE * abs(wanted) + 1e-7), None)
    if place is None:
        return {"why": "the loss made again is not the script's own: something lies between the output and the loss"}
    begin = outputs[place].detach()
    spread = float((begin - begin[:1]).abs().max()) if begin.dim() else 0.0
    for one in parameters:
        one.grad = None
    (first,) = (made for number, made in fitting if number == place)
    first.backward()  # type: ignore[no-untyped-call]
    slope = max((float(one.grad.abs().max()) for one in parameters if one.grad is not None), default=0.0)
    least, steps, until = float(first), 0, time.monotonic() + _SECONDS
    start = [one.detach().clone() for one in parameters]
    for rate in _RATES:
        with torch.no_grad():
            for one, old in zip(parameters, start, strict=True):
                one.copy_(old)
        adam = torch.optim.Adam(parameters, lr=rate)
        for _ in range(_STEPS):
            if time.monotonic() > until or least <= wanted - _FALL * abs(wanted) * 2:
                break
            adam.zero_grad()
            again = [one for _, one in tensors_in(model(*args, **kwargs)) if one.is_floating_point()]
            value = loss(again[place]) if place < len(again) else None
            if value is None:
                return {"why": "the model returns something else when it is called again"}
            least = min(least, float(value))
            value.backward()  # type: ignore[no-untyped-call]
            adam.step()
            steps += 1
    if steps < _FEWEST and least > wanted - _FALL * abs(wanted):
        return {"why": f"only {steps} steps could be made in {_SECONDS:.0f} s"}
    return {"first": wanted, "least": least, "steps": steps, "slope": slope, "spread": spread}
