"""The loss that a stop shows is the one that backward is called on, of this update, or none at all."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tui.words.sentence import sentence

START = """
import torch
from torch import nn
torch.manual_seed(0)
net, other = nn.Linear(2, 1), nn.Linear(2, 1)
opt, opt_other = (torch.optim.SGD(one.parameters(), lr=0.1) for one in (net, other))
x = torch.randn(4, 2)
class Trainer:
    def __init__(self):
        self.losses = {}
class Returning(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 1)
    def forward(self, x):
        out = self.inner(x)
        return out, out.square().mean()
returning = Returning()
opt_returning = torch.optim.SGD(returning.parameters(), lr=0.1)
def round(self):
"""
KINDS = {
    "variables, the younger of which is another": (
        """
        out = net(x)
        main_loss = out.square().mean()
        aux_loss = out.abs().mean()
        opt.zero_grad()
        main_loss.backward()
        opt.step()
        """,
        ["main_loss"],
    ),
    "attributes": (
        """
        out = net(x)
        self.main = out.square().mean()
        self.aux = out.abs().mean()
        opt.zero_grad()
        self.main.backward()
        opt.step()
        """,
        ["self.main"],
    ),
    "entries of a dictionary": (
        """
        out = net(x)
        self.losses['main'] = out.square().mean()
        self.losses['aux'] = out.abs().mean()
        opt.zero_grad()
        self.losses['main'].backward()
        opt.step()
        """,
        ["self.losses['main']"],
    ),
    "another name in another frame": (
        """
        def optimize(loss):
            opt.zero_grad()
            loss.backward()
            opt.step()
        out = net(x)
        total = out.square().mean()
        rest = out.abs().mean()
        with torch.no_grad():
            other(x)
        optimize(total)
        """,
        ["loss"],
    ),
    "one that is not there before others are": (
        """
        out = net(x)
        aux_loss = out.abs().mean()
        main_loss = net(-x).square().mean()
        opt.zero_grad()
        main_loss.backward()
        opt.step()
        """,
        ["main_loss"],
    ),
    "two that are both learned from": (
        """
        first = net(x).square().mean()
        second = other(x).square().mean()
        opt.zero_grad()
        first.backward()
        opt_other.zero_grad()
        second.backward()
        opt.step()
        opt_other.step()
        """,
        ["first", "second"],
    ),
    "each of several in a loop": (
        """
        out = net(x)
        loss_a = out.square().mean()
        loss_b = out.abs().mean() * 10
        opt.zero_grad()
        for one in (loss_a, loss_b):
            one.backward(retain_graph=True)
        opt.step()
        """,
        ["loss_a", "loss_b"],
    ),
    "one that the model returns": (
        """
        logits, loss = returning(x)
        opt_returning.zero_grad()
        loss.backward()
        opt_returning.step()
        """,
        ["loss"],
    ),
    "the mean of a variable": (
        """
        opt.zero_grad()
        loss = net(x).square()
        loss.mean().backward()
        opt.step()
        """,
        ["loss.mean()"],
    ),
    "one beside a bias of one number among the weights of an inner step": (
        """
        fast = dict(net.named_parameters())
        inner = torch.func.functional_call(net, fast, (x,)).square().mean()
        grads = torch.autograd.grad(inner, list(fast.values()), create_graph=True)
        fast = {name: p - 0.1 * grad for (name, p), grad in zip(fast.items(), grads)}
        outer = torch.func.functional_call(net, fast, (x,)).square().mean()
        opt.zero_grad()
        outer.backward()
        opt.step()
        """,
        ["inner", "outer"],
    ),
    "one that no variable holds, beside a loss of that name": (
        """
        opt.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        opt.step()
        opt_other.zero_grad()
        other(x).square().mean().backward()
        opt_other.step()
        """,
        ["loss", "model_loss"],
    ),
}
NOT_BEFORE = (
    "one that the model returns",
    "the mean of a variable",
    "one that no variable holds, beside a loss of that name",
)
"""Kinds of which nothing is known before backward is called."""


def stops_of(kind: str, tmp_path: Path) -> list[m.Stop]:
    script = START + textwrap.indent(textwrap.dedent(KINDS[kind][0]), "    ")
    with debuggee(
        write(tmp_path, script + "trainer = Trainer()\nfor i in range(3):\n    round(trainer)\n")
    ) as training:
        return list(training.stops())


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_before_backward_is_the_one_that_backward_is_called_on(kind: str, tmp_path: Path) -> None:
    boundaries = [stop.boundary for stop in stops_of(kind, tmp_path) if stop.pending_backward]
    entries = [boundary for boundary in boundaries if boundary.next == "backward" and not boundary.predicted]
    assert all(boundary.loss is not None for boundary in entries)
    shown = 0
    for boundary in boundaries:
        coming = next(entry for entry in entries if entry.index >= boundary.index)
        past = [entry for entry in entries if entry.update == boundary.update and entry.index < boundary.index]
        assert boundary.loss in (None, coming.loss, *(entry.loss for entry in past[-1:]))
        shown += boundary.loss == coming.loss and boundary is not coming
    assert shown or kind in NOT_BEFORE


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_is_called_what_backward_is_called_on(kind: str, tmp_path: Path) -> None:
    stops = [stop for stop in stops_of(kind, tmp_path) if stop.boundary.done == "backward"]
    names = KINDS[kind][1] * 3
    assert [stop.walked_from for stop in stops] == names
    said = [(sentence(stop), name) for stop, name in zip(stops, names, strict=True)]
    assert all(f"from `{name}`" in words or words == "backward wrote no gradient" for words, name in said)


def test_of_two_losses_neither_is_the_loss_before_backward_has_been_called_once(tmp_path: Path) -> None:
    stops = stops_of("variables, the younger of which is another", tmp_path)
    first, second = (stop for stop in stops if stop.boundary.done == "loss" and stop.boundary.update < 3)
    assert (first.boundary.loss, first.loss_name) == (None, None)
    assert sentence(first) == "loss computed main_loss and aux_loss"
    assert sentence(second).startswith(f"loss computed `main_loss` = {second.boundary.loss:.4f} from the output")


def test_a_loss_of_an_earlier_update_says_so(tmp_path: Path) -> None:
    stops = stops_of("variables, the younger of which is another", tmp_path)
    of = {
        (stop.boundary.update, stop.boundary.done, stop.boundary.opens): stop.made_in.get("loss")
        for stop in stops
        if stop.boundary.loss is not None
    }
    assert of[1, "step", 2] == 1
    assert of[2, "zero_grad", None] == of[2, "backward", None] == 2


MANY = """
    import torch
    net = torch.nn.Linear(2, 1)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for i in range(2):
        opt.zero_grad()
        loss = net(torch.ones(4, 2)).square()
        if i:
            loss.backward(torch.ones_like(loss))
        else:
            loss = loss.mean()
            loss.backward()
        opt.step()
"""


def test_a_loss_that_is_no_single_number_has_no_value_and_not_that_of_another(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, MANY)) as training:
        stops = [stop for stop in training.stops() if stop.boundary.update == 2]
    shown = {stop.boundary.done: (stop.loss_name, stop.boundary.loss) for stop in stops}
    assert shown["loss"] == shown["backward"] == shown["step"] == ("loss", None)


TRAINER = """
    import torch

    def fit(net, opt, x):
        for _ in range(2):
            objective = net(x).square().mean()
            opt.zero_grad()
            objective.backward()
            opt.step()
"""
OF_A_TRAINER = """
    import sys
    sys.path.insert(0, "{folder}")
    import torch
    from shop import fit
    torch.manual_seed(0)
    net = torch.nn.Linear(2, 1)
    fit(net, torch.optim.SGD(net.parameters(), lr=0.1), torch.randn(4, 2))
"""


def test_a_loss_that_only_a_library_holds_is_not_told_as_come_after_it_was_made(tmp_path: Path) -> None:
    """It is met at backward; zero_grad lies between, and has made none."""
    library = tmp_path / "site-packages"
    library.mkdir()
    write(library, TRAINER, "shop.py")
    with debuggee(write(tmp_path, OF_A_TRAINER.format(folder=library))) as training:
        stops = [stop for stop in training.stops() if stop.boundary.next == "backward"]
    assert [stop.boundary.done for stop in stops] == ["zero_grad"] * 2
    assert [stop.loss_name for stop in stops] == ["loss"] * 2
    assert all(stop.boundary.loss is not None for stop in stops)
    assert [sentence(stop) for stop in stops] == [
        "zero_grad found no gradients to clear",
        "zero_grad freed the gradients of 2 parameters",
    ]
    assert not any(effect.kind == "loss" for stop in stops if stop.effects for effect in stop.effects.named)


SEVERAL = """
    import torch

    def backward(losses, weights):
        for loss in losses:
            for weight, found in zip(weights, torch.autograd.grad(loss, weights, retain_graph=True)):
                weight.grad = found if weight.grad is None else weight.grad + found
"""
OF_SEVERAL = """
    import sys
    sys.path.insert(0, "{folder}")
    import torch
    from shop import backward
    torch.manual_seed(0)
    net = torch.nn.Linear(2, 1)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for i in range(3):
        out = net(torch.randn(4, 2))
        first, second = out.square().mean(), out.abs().mean() * 10
        opt.zero_grad()
        backward([first, second], [*net.parameters()])
        opt.step()
        print(first.item(), second.item())
"""


@pytest.mark.parametrize("go", ["next", "continue"])
def test_losses_that_one_call_of_a_library_goes_back_from_are_told_apart(go: m.Go, tmp_path: Path) -> None:
    library = tmp_path / "site-packages"
    library.mkdir()
    write(library, SEVERAL, "shop.py")
    script = write(tmp_path, OF_SEVERAL.format(folder=library))
    with debuggee(script, go=go, trace=m.Tracing(updates=None) if go == "continue" else None) as training:
        stops = [*training.stops(go)]
        _, out, _ = training.end()
        lines = [line.boundary for line in training.traced]
    printed = [float(number) for number in out.split()]
    boundaries = [stop.boundary for stop in stops] if go == "next" else lines
    entries = [one for one in boundaries if one.next == "backward"]
    assert [one.loss for one in entries] == pytest.approx(printed)
    if go == "next":
        assert [one.walked_from for one in stops if one.boundary.done == "backward"] == ["first", "second"] * 3
