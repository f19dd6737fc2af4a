"""Values on their way from a device, recorded graphs, failures and memory: held on a stand-in for its module."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from harness.stand_in import OnDevice
from torch.overrides import TorchFunctionMode

from stepdbg.tracer.effects.free_memory import free_bytes
from stepdbg.tracer.session.losses import Losses
from stepdbg.tracer.sources.updates.cuda_graphs import CudaGraphs
from stepdbg.tracer.tensors import devices

ONE, OTHER = torch.device("cuda", 0), torch.device("cuda", 1)


class Event:
    """As a device's: it belongs to the device of its first record, and knows nothing while a graph is recorded."""

    def __init__(self) -> None:
        self.device: torch.device | None = None
        self.recorded = 0

    def record(self, stream: torch.device) -> None:
        if self.device not in (None, stream):
            raise RuntimeError(f"Event device {self.device} does not match recording stream's device {stream}.")
        self.device = stream
        self.recorded += 1

    def query(self) -> bool:
        if Module.capturing:
            raise RuntimeError("operation not permitted when stream is capturing")
        if Module.failure:
            raise RuntimeError(Module.failure)
        return True

    synchronize = query


class Module:
    """The module of a kind of device."""

    capturing = False
    failure = ""
    waited: list[torch.device] = []
    Event = Event
    current_stream = staticmethod(lambda device: device)
    is_initialized = staticmethod(lambda: True)
    is_current_stream_capturing = staticmethod(lambda: Module.capturing)
    mem_get_info = staticmethod(lambda device: (10_000, 80_000))
    memory_reserved = staticmethod(lambda device: 50_000)
    memory_allocated = staticmethod(lambda device: 20_000)
    max_memory_allocated = staticmethod(lambda device: 45_000)
    default_generators = (torch.Generator().manual_seed(1),)

    @staticmethod
    def synchronize(device: torch.device) -> None:
        if Module.failure:
            raise torch.AcceleratorError(Module.failure)
        Module.waited.append(device)


class OnTheOther(OnDevice):
    """A tensor of another device."""

    place = OTHER


def loss_of(value: float, device: torch.device) -> torch.Tensor:
    """A loss on a device."""
    kind = OnDevice if device == ONE else OnTheOther
    return kind(torch.tensor(value, device="cpu"))


class Pinning(TorchFunctionMode):
    """Pins no memory, which takes a device, and sees that it is the CPU's that is to be pinned."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.pop("pin_memory", False):
            assert torch.device(kwargs["device"]).type == "cpu", "only dense CPU tensors can be pinned"
        return func(*args, **kwargs)


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(devices, "_state", devices._State())
    monkeypatch.setattr("stepdbg.tracer.tensors.devices.module_of", lambda kind: Module if kind == "cuda" else None)
    # As a program has it that says `torch.set_default_device("cuda")`: who names no device gets that one.
    with Pinning(), torch.device("cuda"):
        yield
    Module.capturing, Module.failure = False, ""
    Module.waited.clear()


def losses() -> tuple[Losses, Any]:
    course = SimpleNamespace(loss=None)
    return Losses(course, SimpleNamespace(page=None)), course  # type: ignore[arg-type]


def test_losses_of_two_devices_take_no_turns_with_one_event() -> None:
    reader, course = losses()
    for number in range(6):
        reader.read(loss_of(float(number), (ONE, OTHER)[number % 2]), "loss", number)
        assert course.loss == number


def test_while_a_graph_is_recorded_nothing_is_asked_of_the_device() -> None:
    reader, course = losses()
    reader.read(loss_of(1.0, ONE), "loss", 1)
    Module.capturing = True
    reader.read(loss_of(2.0, ONE), "loss", 2)
    reader.settle()
    reader.settle(wait=True)
    devices.note(ONE)
    devices.settle()
    assert course.loss == 1.0
    assert Module.waited == []
    assert devices.failure() == ""


def test_a_graph_is_recorded_from_its_beginning_to_its_end_however_it_ends() -> None:
    class Graph:
        def capture_begin(self, fails: bool = False) -> None:
            if fails:
                raise RuntimeError("cannot")

        def capture_end(self) -> None:
            raise RuntimeError("invalidated")

        def replay(self) -> str:
            return "replayed"

    told: list[str] = []
    idle = SimpleNamespace(open=None)
    tracer: Any = SimpleNamespace(
        listening=lambda: True,
        free_run=idle,
        tracker=idle,
        tell=lambda text, severity: told.append(text),
        passes=lambda *_: None,
    )
    CudaGraphs(tracer).install(Graph)
    graph = Graph()
    with pytest.raises(RuntimeError, match="cannot"):
        graph.capture_begin(fails=True)
    assert not devices.capturing()
    graph.capture_begin()
    assert devices.capturing()
    with pytest.raises(RuntimeError, match="invalidated"):
        graph.capture_end()
    assert not devices.capturing()
    idle.open = "forward"
    assert graph.replay() == "replayed"
    assert told == []
    idle.open = None
    assert graph.replay() == graph.replay() == "replayed"
    assert len(told) == 1


def test_an_error_that_a_device_has_kept_is_the_users_own_and_is_told_once() -> None:
    reader, course = losses()
    reader.read(loss_of(1.0, ONE), "loss", 1)
    Module.failure = "CUDA error: device-side assert triggered\nCompile with TORCH_USE_CUDA_DSA"
    reader.read(loss_of(2.0, ONE), "loss", 2)
    reader.settle(wait=True)
    assert course.loss == 1.0
    devices.note(ONE)
    devices.settle()
    assert devices.failure() == "cuda:0: CUDA error: device-side assert triggered"
    assert devices.failure() == ""


def test_each_device_that_tensors_were_seen_on_is_waited_for_at_a_stop() -> None:
    for device in (ONE, OTHER, torch.device("cpu"), ONE):
        devices.note(device)
    devices.settle()
    assert sorted(map(str, Module.waited)) == ["cuda:0", "cuda:1"]


def test_copies_may_take_what_is_free_now_and_stays_free_at_the_peak_of_training() -> None:
    assert free_bytes(ONE) == 10_000 + 50_000 - 45_000
    assert free_bytes(torch.device("xpu", 0)) == 0


def test_the_generator_of_a_device_is_among_the_random_states() -> None:
    before = devices.random_states()
    assert before.keys() == {"torch.cuda random"}
    torch.rand(3, generator=Module.default_generators[0], device="cpu")
    assert devices.random_states() != before


def test_nothing_of_a_device_that_the_program_does_not_use_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert devices.module_of("cuda") is None
    assert not devices.capturing()
    devices.settle()
    assert devices.random_states() == {}
    assert not torch.cuda.is_initialized()
