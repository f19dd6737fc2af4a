"""What a free run asks of a watched value at each phase: whether it has stayed as it was, however it may be written."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import pytest
import torch
from torch import nn

from stepdbg.protocol.breakpoint_text import parse
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.watchpoints.watchpoints import Watchpoints


class Net(nn.Module):
    """A layer with a gradient, and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.register_buffer("mean", torch.zeros(2))


def watching(net: Net, text: str) -> Watchpoints:
    """What watches a value of the model, which has been looked at once."""
    registry = Registry()
    registry.note_model(net)
    registry.named[0].name = "net"
    found = Watchpoints(registry, lambda _: None)
    found.hold([parse(text)])
    found.keep(None, 1)
    return found


def replaced(net: Net) -> None:
    net.fc = nn.Linear(3, 2)


def another(net: Net) -> None:
    net.fc.weight = nn.Parameter(net.fc.weight.detach() + 1)


def freed(net: Net) -> None:
    net.fc.weight.grad = None


def narrowed(net: Net) -> None:
    net.fc.weight.data = net.fc.weight.data.double()


def emptied(net: Net) -> None:
    net.fc.weight.data.untyped_storage().resize_(0)


WRITTEN: dict[str, tuple[str, Callable[[Net], object]]] = {
    "through data": ("net.fc.weight", lambda net: net.fc.weight.data.mul_(2)),
    "by numpy": ("net.mean", lambda net: net.mean.numpy().fill(1)),
    "another value of the data": ("net.fc.weight", lambda net: setattr(net.fc.weight, "data", torch.ones(2, 3))),
    "another module": ("net.fc.weight", replaced),
    "another parameter": ("net.fc.weight", another),
    "a gradient freed": ("net.fc.weight.grad", freed),
    "a gradient written": ("net.fc.weight.grad", lambda net: net.fc.weight.grad.add_(1)),
    "another type": ("net.fc.weight", narrowed),
    "an element": ("net.fc.weight[1, 2]", lambda net: net.fc.weight.data[1, 2].add_(1)),
    "memory given back": ("net.fc.weight", emptied),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_what_is_written_in_whatever_way_is_not_told_to_be_as_it_was(how: str) -> None:
    name, write = WRITTEN[how]
    net = Net()
    net.fc.weight.grad = torch.zeros(2, 3)
    watchpoints = watching(net, f"when {name} changes")
    same = watchpoints.quickly()
    assert same is not None
    assert same()
    write(net)
    assert not same()


def test_what_was_found_and_is_not_told_yet_is_no_stillness() -> None:
    net = Net()
    watchpoints = watching(net, "when net.mean changes")
    same = watchpoints.quickly()
    assert same is not None
    net.mean.add_(1)
    watchpoints.look(None, 1, lambda: "in step")
    assert not same()
    assert watchpoints.may_stop(1)
    assert watchpoints.quickly() is None


def test_nothing_that_is_watched_lives_longer_for_it() -> None:
    net = Net()
    watchpoints = watching(net, "when net.fc.weight changes")
    same = watchpoints.quickly()
    assert same is not None
    alive: list[object] = []
    weakref.finalize(net, alive.append, None)
    del net
    assert alive
    assert not same()


@pytest.mark.parametrize("text", ["when net.* changes", "when net.mean stays 3 updates"])
def test_what_takes_more_than_a_look_goes_the_long_way(text: str) -> None:
    assert watching(Net(), text).quickly() is None
