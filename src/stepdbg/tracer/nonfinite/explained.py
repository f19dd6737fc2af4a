"""What was found at a boundary, in full: what holds it, which rows are concerned, and what has produced it.

Where the phase was a call of a model or its backward, the call is made again in a child of this process, if nothing
but this process took part in it (`replay`). Else, and for a loss, it is read off the graph. What a step has done is
read off the optimizer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import torch
from torch import nn

from stepdbg.protocol.messages import BadValue, Producer
from stepdbg.tracer.introspect.layout import modules_of, parameters_in
from stepdbg.tracer.introspect.safe_access import tensors_in
from stepdbg.tracer.nonfinite.checks import Checks, Finding
from stepdbg.tracer.nonfinite.elements import Bad, bad_elements
from stepdbg.tracer.nonfinite.producers.backward_again import backward_again
from stepdbg.tracer.nonfinite.producers.called_again import forward_again
from stepdbg.tracer.nonfinite.producers.graph_producer import GraphProducer
from stepdbg.tracer.nonfinite.producers.kept import Call, Calls
from stepdbg.tracer.nonfinite.producers.region import region_of
from stepdbg.tracer.nonfinite.producers.replay import Replayed, in_child, possible
from stepdbg.tracer.nonfinite.producers.samples import samples_of
from stepdbg.tracer.nonfinite.producers.stepped import of_state, spoilt_by_step
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors.autograd_nodes import walked

_CALLED = {"output": "the output", "loss": "the loss", "batch": "the batch"}


def explained(checks: Checks, registry: Registry, loss: torch.Tensor | None = None) -> BadValue | None:
    """What the checks have found; None where they have found nothing. The registry is refreshed.

    Args:
        checks: What was found.
        registry: What is alive.
        loss: One that is not finite, and is to be explained in the place of what they have found.
    """
    finding = checks.take() if loss is None else Finding("loss", [loss], True, "loss")
    if finding is None:
        return None
    iterator = checks.fetched() if checks.fetched is not None else None
    try:
        return _Explanation(finding, checks.calls, registry, iterator, checks.loss if loss is None else loss).value()
    finally:
        checks.calls.forget()


class _Explanation:
    """One finding."""

    def __init__(
        self, finding: Finding, calls: Calls, registry: Registry, iterator: Any, loss: torch.Tensor | None
    ) -> None:
        self._finding, self._registry, self._iterator = finding, registry, iterator
        self._calls, self._section = calls.all, calls.section
        self._loss = loss
        self._names = {id(one.tensor): name for name, one in registry.alive.items() if one.tensor is not None}
        self._modules: dict[int, str] = {}
        for name, model in registry.models():
            for path, module in modules_of(model):
                self._modules.setdefault(id(module), f"{name}.{path}".rstrip("."))

    def value(self) -> BadValue:
        """It in full."""
        finding = self._finding
        if finding.optimizer is not None:
            return self._of_hyperparameter()
        bad = [
            (tensor, found)
            for tensor in finding.tensors
            if (found := bad_elements(tensor, infinite=finding.infinite)) is not None
        ]
        if not bad:
            return BadValue("nan", "a value", finding.phase, unknown="it has been written since it was found")
        bad.sort(key=lambda one: not one[1].nan)
        tensor, found = self._first(bad)
        producer = self._producer(tensor, found, [one for one, _ in bad])
        known = producer if isinstance(producer, Producer) else None
        return BadValue(
            "nan" if found.nan else "inf",
            self._name(tensor),
            finding.phase,
            found.number,
            found.of,
            found.at,
            len(bad) - 1,
            rows := self._rows(found),
            samples_of(self._iterator, rows) if rows else (),
            known,
            "" if known is not None else str(producer),
        )

    def _first(self, bad: list[tuple[torch.Tensor, Bad]]) -> tuple[torch.Tensor, Bad]:
        """The one that is told of: of gradients the one that backward has come to first, which is the last listed."""
        return bad[-1] if self._finding.kind == "grad" and self._finding.phase == "backward" else bad[0]

    def _name(self, tensor: torch.Tensor) -> str:
        return self._names.get(id(tensor)) or _CALLED.get(self._finding.kind, f"a {self._finding.kind}")

    def _rows(self, bad: Bad) -> tuple[int, ...]:
        """The rows of the batch that are concerned: of an output, where it has as many as the model was given."""
        if self._finding.kind == "batch":
            return bad.rows
        if self._finding.kind != "output" or not self._calls:
            return ()
        given = next((one for _, one in tensors_in(self._calls[-1].args)), None)
        output = self._finding.tensors[0]
        same = given is not None and given.dim() and output.dim() and given.shape[0] == output.shape[0]
        return bad.rows if same else ()

    # who has produced it

    def _producer(self, tensor: torch.Tensor, bad: Bad, all_bad: list[torch.Tensor]) -> Producer | str:
        finding = self._finding
        if not finding.phase and finding.kind != "loss":
            return Producer("the script", f"it was written {finding.between}")
        match finding.kind:
            case "batch":
                return Producer("the loader", "the batch came with it")
            case "output":
                return self._of_output(tensor)
            case "loss":
                return self._of_loss(tensor)
            case "grad":
                return self._of_gradients() if finding.phase == "backward" else self._of_written_gradients()
            case "parameter":
                return spoilt_by_step(tensor, bad, self._registry) or "no optimizer holds it"
            case "state":
                return of_state(tensor, self._registry) or "no optimizer holds it"
            case _:
                return "nothing tells"

    def _of_written_gradients(self) -> Producer:
        return Producer(self._finding.phase, "they were finite before it")

    def _of_output(self, output: torch.Tensor) -> Producer | str:
        for call in reversed(self._calls):
            if any(one() is output for one in call.outputs):
                if spoilt := self._spoilt(call):
                    return Producer(spoilt, "it was NaN before the call")
                found = self._again(call, partial(forward_again, call, self._module_name))
                if isinstance(found, Producer):
                    return found
                break
        return GraphProducer(self._leaf).of(output, infinite=False)

    def _of_loss(self, loss: torch.Tensor) -> Producer | str:
        """Read off the graph; where that cannot tell, and the model has returned what is not finite, whatever has made
        that. (An infinite output is no stop: it may be meant.)
        """
        returned = [one for call in self._calls for kept in call.outputs if (one := kept()) is not None]
        found = GraphProducer(self._leaf, returned).of(loss, infinite=True)
        if isinstance(found, Producer) and found.certain:
            return found
        nodes = {id(node) for node in walked([loss])[0]}
        for call in self._calls:
            outputs = [one for kept in call.outputs if (one := kept()) is not None and id(one.grad_fn) in nodes]
            if any(bad_elements(one, infinite=True) is not None for one in outputs):
                made = self._again(call, partial(forward_again, call, self._module_name, infinite=True))
                return made if isinstance(made, Producer) else found
        return found

    def _of_gradients(self) -> Producer | str:
        why = "no call of a model is kept"
        steep = self._section.producer() if self._section is not None else None
        arrived_bad = any(
            bad_elements(grad, infinite=True) is not None for call in self._calls for grad in call.arrived.values()
        )
        if steep is not None and (arrived_bad or not any(call.arrived for call in self._calls)):
            return steep if arrived_bad else msgspec.structs.replace(steep, certain=False)
        for call in self._calls:
            bad = [grad for grad in call.arrived.values() if bad_elements(grad, infinite=True) is not None]
            if bad:
                why = "it was so already where it arrived at the model's output: between the loss and that"
                continue
            if not call.arrived:
                continue
            found = self._again(call, partial(backward_again, call, self._module_name, self._names))
            if isinstance(found, Producer):
                return found
            why = found
        region = region_of(self._loss, self._leaf)
        return region if isinstance(region, Producer) else f"{why}; {region}"

    def _again(self, call: Call, look: Callable[[], Replayed]) -> Producer | str:
        """What was found when a call was made again, or why nothing was."""
        if not call.is_whole():
            return "what the model was called with has been written since"
        if why := possible():
            return why
        if _is_compiled(call.model()):
            return "the model is compiled"
        found = in_child(look)
        if found.producer is not None:
            return found.producer
        return f"the call could not be made again: {found.failure}" if found.failure else "made again, it was finite"

    def _spoilt(self, call: Call) -> str:
        """A parameter of the model that was NaN already."""
        model = call.model()
        for parameter in parameters_in(model) if model is not None else ():
            if bad_elements(parameter, infinite=False) is not None:
                return self._names.get(id(parameter), "a parameter of the model")
        return ""

    def _of_hyperparameter(self) -> BadValue:
        finding = self._finding
        names = {id(one): named.name for named, one in self._registry.optimizers()}
        name = f"{names.get(id(finding.optimizer), 'the optimizer')}.{finding.hyperparameter}"
        return BadValue(
            "nan", name, finding.phase, 1, 1, producer=Producer("the script", f"it was set so {finding.between}")
        )

    # names

    def _leaf(self, tensor: torch.Tensor) -> str:
        return self._names.get(id(tensor), "")

    def _module_name(self, module: nn.Module) -> str:
        return self._modules.get(id(module)) or _class(module)


def _is_compiled(model: nn.Module | None) -> bool:
    """Whether its call runs what `torch.compile` has made of it, with threads that do not come along into a child."""
    if model is None:
        return False
    return type(model).__name__ == "OptimizedModule" or vars(model).get("_compiled_call_impl") is not None


def _class(value: Any) -> str:
    return str(type.__dict__["__name__"].__get__(type(value)))
