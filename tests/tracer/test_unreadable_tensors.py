"""A tensor that cannot be read is one row that says so; everything beside it works, and the stop always stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tracer.bare_hub import bare, debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tui.words.sentence import sentence

ODD = """
    import torch
    from torch import nn
    from torch._subclasses.fake_tensor import FakeTensorMode

    class Wrapper(torch.Tensor):
        "Keeps another tensor, as quantised weights do, and knows only what a parameter needs."
        @staticmethod
        def __new__(cls, inner, device):
            return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype, device=device)
        def __init__(self, inner, device):
            self.inner = inner
        def __repr__(self):
            return "Wrapper()"
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            if func is torch.ops.aten.detach.default:
                return cls(args[0].inner, args[0].device)
            raise NotImplementedError(str(func))

    class Slotted(Wrapper):
        __slots__ = ("hidden",)
        def __init__(self, inner, device):
            self.hidden = inner

    class Empty(Wrapper):
        "Keeps nothing that could be looked at."
        def __init__(self, inner, device):
            pass

    class Refuses(torch.Tensor):
        "Has memory of its own, and an exception for whoever asks."
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            raise ZeroDivisionError(str(func))

    class Functions(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            raise ZeroDivisionError(str(func))

    def stale():
        tensor = torch.ones(4)
        torch._C._set_throw_on_mutable_data_ptr(tensor)
        return tensor

    def freed(offset=0):
        tensor = torch.ones(4096)
        view = tensor[offset:]
        tensor.untyped_storage().resize_(0)
        return view

    def cut_off():
        tensor = torch.ones(4096)
        tensor.untyped_storage().resize_(64)
        return tensor

    def fake():
        with FakeTensorMode():
            return torch.ones(4)

    def escaped():
        kept = []
        torch.func.vmap(lambda row: (kept.append(row), row)[1])(torch.ones(2, 3))
        return kept[0]

    def inference(size):
        with torch.inference_mode():
            return torch.ones(size)

    complex_ones = torch.ones(4, dtype=torch.complex64)
    large = torch.ones(4096, dtype=torch.complex64)
    # Of each: a tensor, and whether its numbers can be read.
    TENSORS = {
        "plain": (torch.ones(4), True),
        "empty": (torch.ones(0, 3), True),
        "huge": (torch.ones(1).expand(1 << 25), True),
        "complex": (complex_ones, True),
        "conjugate": (complex_ones.conj(), True),
        "large_conjugate": (large.conj(), True),
        "negative": (large.conj().imag, True),
        "inference": (inference(4), True),
        "large_inference": (inference(4096), True),
        "sparse": (torch.eye(3).to_sparse(), True),
        "compressed": (torch.eye(3).to_sparse_csr(), True),
        "quantised": (torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8), True),
        "mkldnn": (torch.ones(3, 3).to_mkldnn(), True),
        "nested": (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), True),
        "refuses": (torch.Tensor._make_subclass(Refuses, torch.ones(4)), True),
        "jagged": (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged), False),
        "meta": (torch.ones(4, device="meta"), False),
        "stale": (stale(), False),
        "freed": (freed(), False),
        "freed_view": (freed(5), False),
        "freed_small_view": (freed(4000), False),
        "cut_off": (cut_off(), False),
        "bits": (torch.ones(4, dtype=torch.uint8).view(torch.bits8), False),
        "wrapper": (Wrapper(torch.ones(4), "cpu"), False),
        "wrapper_on_a_device": (Wrapper(torch.ones(4), "cuda"), False),
        "slotted": (Slotted(torch.ones(4), "cpu"), False),
        "nothing_inside": (Empty(torch.ones(4), "cuda"), False),
        "fake": (fake(), False),
        "escaped": (escaped(), False),
        "unmade": (nn.UninitializedBuffer(), False),
    }

    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 3)
            self.lazy = nn.LazyLinear(2)
            for name, (tensor, _) in TENSORS.items():
                self._buffers[name] = tensor  # register_buffer would ask the tensor
        def forward(self, x):
            return self.lazy(self.fc(x))
"""
TRAINING = (
    ODD
    + """
    torch.manual_seed(0)
    model = Odd()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        out = model(torch.ones(2, 4))
        loss = out.square().sum()
        loss.backward()
        optimizer.step()
    print(loss.item(), model.fc.weight.sum().item())
"""
)


def table() -> dict[str, bool]:
    """The tensors of `ODD`, and whether each can be read, without making any of them."""
    found = {}
    for line in ODD.split("TENSORS = {")[1].split("    }")[0].splitlines():
        if ":" in line:
            found[line.split('"')[1]] = line.rstrip().endswith("True),")
    return found


READABLE = table()
NAMES = tuple(f"model.{name}" for name in READABLE)


def test_one_tensor_that_cannot_be_read_is_one_row_that_says_so_and_everything_else_works(tmp_path: Path) -> None:
    script = write(tmp_path, TRAINING)
    want = bare(script)
    assert want[0] == 0, want
    rows: dict[str, m.Summary] = {}
    with debuggee(script) as training:
        for number, stop in enumerate(training.stops()):
            assert stop.effects is None or not [one for one in stop.effects.named if one.object in NAMES]
            if number % 4:
                continue
            rows |= {row.object: row for row in training.ask(m.Summarise((*NAMES, "model.fc.weight"))).rows}
            for question in (
                m.ListObjects(), m.ListOptimizers(), m.ListLocals(0), m.Identify("model.fc.weight"),
                m.Evaluate(0, "1 + 1"), m.LookAtMaps(("model.fc.weight",), rows=4, columns=4),
                *(m.LookAt(name, rows=2, columns=2, statistics=True, bins=4) for name in NAMES),
                *(m.Identify(name) for name in NAMES),
            ):  # fmt: skip
                answer = training.ask(question)
                assert not isinstance(answer, m.Refusal), (question, answer)
            if number:
                continue
            saved = training.ask(m.Save(str(tmp_path / f"{number}.safetensors"), "safetensors"))
            assert isinstance(saved, m.Saved), saved
        assert training.end() == want
        assert training.notices == []
    assert {name for name in READABLE if rows[f"model.{name}"].norm is None} == {
        name for name, readable in READABLE.items() if not readable
    }
    for name, readable in READABLE.items():
        words = rows[f"model.{name}"].unreadable
        assert (words == "") == readable, (name, words)
        assert readable or name == "unmade" or words.startswith("cannot be read ("), words
    assert rows["model.fc.weight"].norm


def test_a_trace_tells_of_all_that_can_be_read_and_has_no_fingerprint_of_the_rest(tmp_path: Path) -> None:
    script = write(tmp_path, TRAINING)
    with debuggee(script, go="continue", trace=m.Tracing(updates=None, effects=True, fingerprints=True)) as training:
        list(training.stops("continue"))
        assert training.end() == bare(script)
        assert training.notices == []
    last = training.traced[-1].fingerprints
    assert last is not None
    assert last["model.fc.weight"]
    told = {name for name in READABLE if last[f"model.{name}"] is not None}
    # Of a wrapper the fingerprint is that of what it keeps: so a step that changes it is seen.
    assert {"wrapper", "wrapper_on_a_device", "slotted", "jagged", "unmade"} <= told
    assert not told & {"meta", "stale", "freed", "freed_view", "freed_small_view", "cut_off", "nothing_inside", "fake"}
    effects = {effect.object for line in training.traced for effect in line.effects or ()}
    assert not effects & set(NAMES)
    assert "model.fc.weight" in effects


LAZY = """
    import torch
    from torch import nn
    torch.manual_seed(0)
    model = nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(8, 5)).square().mean().backward()
        optimizer.step()
"""


def test_a_lazy_parameter_is_made_by_the_first_forward(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, LAZY)) as training:
        stop = training.stop()
        assert stop is not None
        assert stop.boundary.next == "zero_grad"
        (row,) = training.ask(m.Summarise(("model.0.weight",))).rows
        assert row.unreadable == "not initialised yet"
        listed = lambda: {row.name: row.shape for row in training.ask(m.ListObjects()).rows}  # noqa: E731
        assert listed()["model.0.weight"] == (0,)
        while stop.boundary.done != "forward":
            stop = training.go()
            assert stop is not None
        made = {effect.object: effect.what for effect in stop.effects.named}
        assert made["model.0.weight"] == made["model.1.running_mean"] == "changed"
        (row,) = training.ask(m.Summarise(("model.0.weight",))).rows
        assert row.norm
        assert not row.unreadable
        assert listed()["model.0.weight"] == (8, 5)
        assert training.notices == []


WRAPPED = (
    ODD
    + """
    class Attribute(Wrapper):
        pass
    class Dictionary(Wrapper):
        def __init__(self, inner, device):
            self.ranks = {0: inner}
        @property
        def inner(self):
            return self.ranks[0]
    class List(Wrapper):
        def __init__(self, inner, device):
            self.parts = [inner]
        @property
        def inner(self):
            return self.parts[0]
    class Elsewhere(Wrapper):
        kept = {}
        def __init__(self, inner, device):
            self.number = len(self.kept)
            self.kept[self.number] = inner
        @property
        def inner(self):
            return self.kept[self.number]
    class Learns(KIND):
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            unwrapped = [one.inner if isinstance(one, Learns) else one for one in args]
            found = func(*unwrapped, **(kwargs or {}))
            if func is torch.ops.aten.add_.Tensor:
                return args[0]
            return cls(found, "cpu") if func in (torch.ops.aten.detach.default, torch.ops.aten.t.default) else found
    model = nn.Linear(4, 3, bias=False)
    model.weight = nn.Parameter(Learns(model.weight.detach().clone(), "cpu"))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, foreach=False)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(2, 4)).square().sum().backward()
        optimizer.step()
    print(model.weight.inner.sum().item())
"""
)


def steps_of(kind: str, tmp_path: Path) -> list[m.Stop]:
    script = write(tmp_path, WRAPPED.replace("KIND", kind))
    with debuggee(script) as training:
        steps = [stop for stop in training.stops() if stop.boundary.done == "step"]
        assert training.end() == bare(script)
    assert len(steps) == 2
    return steps


@pytest.mark.parametrize("kind", ["Attribute", "Dictionary", "List"])
def test_a_step_is_seen_to_change_a_weight_that_a_wrapper_keeps(kind: str, tmp_path: Path) -> None:
    for stop in steps_of(kind, tmp_path):
        assert stop.effects is not None
        assert [(one.object, one.what) for one in stop.effects.named] == [("model.weight", "changed")]


def test_of_a_weight_that_cannot_be_read_it_is_not_said_that_a_step_has_left_it(tmp_path: Path) -> None:
    for stop in steps_of("Elsewhere", tmp_path):
        assert sentence(stop).startswith("step may have changed parameters: what they hold cannot be read")


AFTER_DEATH = (
    ODD
    + """
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for update in range(2):
        optimizer.zero_grad()
        out = model(torch.ones(2, 4))
        loss = out.square().sum()
        loss.backward()
        if update == 1:
            for tensor in (*model.parameters(), *(p.grad for p in model.parameters()), out.detach_(), loss.detach_()):
                torch._C._set_throw_on_mutable_data_ptr(tensor)
            raise RuntimeError("CUDA out of memory (as it were)")
        optimizer.step()
"""
)


@pytest.mark.parametrize("go", ["continue", "next"])
def test_the_stop_at_an_exception_stands_where_nothing_can_be_read(tmp_path: Path, go: Any) -> None:
    script = write(tmp_path, AFTER_DEATH)
    with debuggee(script, go=go) as training:
        stops = [*training.stops(go)][-1:]
        assert training.end() == bare(script)
    (stop,) = stops
    assert stop.reason == "exception"
    assert stop.failure is not None
    assert stop.failure.type == "RuntimeError"
    assert "as it were" in stop.failure.message
    assert stop.frames[0].file == script
    assert training.notices == []


BITS = {
    "complex, with every warning an error": """
        import hashlib, torch, warnings
        from torch import nn
        torch.manual_seed(0)
        warnings.simplefilter("error")
        class Turned(nn.Module):
            def __init__(self):
                super().__init__()
                self.turn = nn.Parameter(torch.randn(5, dtype=torch.complex64))
                self.register_buffer("other", torch.ones(5, dtype=torch.complex64).conj())
                self.head = nn.Linear(5, 1)
            def forward(self, x):
                return self.head((x.to(torch.complex64) * self.turn * self.other).real)
        model = Turned()
    """,
    "lazy, and under inference mode between updates": """
        import hashlib, torch
        from torch import nn
        torch.manual_seed(0)
        model = nn.Sequential(nn.LazyLinear(2000), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(1))
    """,
}
LOOP = """
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for update in range(2):
            optimizer.zero_grad()
            loss = model(torch.randn(8, 5)).square().mean()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            model.eval()
            with torch.inference_mode():
                checked = model(torch.ones(2, 5)).sum()
            model.train()
            print(loss.item().hex(), checked.item().hex())
        held = [tensor.detach().resolve_conj().numpy().tobytes() for tensor in model.state_dict().values()]
        print(hashlib.sha256(b"".join(held)).hexdigest())
"""


@pytest.mark.parametrize("name", BITS)
def test_what_is_stepped_looked_at_and_traced_ends_in_the_bits_and_warnings_of_a_bare_run(
    tmp_path: Path, name: str
) -> None:
    script = write(tmp_path, BITS[name].rstrip(" ") + LOOP)
    want = bare(script)
    assert want[0] == 0, want
    with debuggee(script) as training:
        for stop in training.stops():
            rows = training.ask(m.ListObjects()).rows
            names = tuple(row.name for row in rows if row.node in ("parameter", "buffer", "variable"))
            training.ask(m.Summarise(names))
            if stop.boundary.done in ("forward", "step"):
                for object_name in names:
                    training.ask(m.LookAt(object_name, rows=2, columns=2, statistics=True, bins=4, side="change"))
        assert training.end() == want
        assert training.notices == []
    with debuggee(script, go="continue", trace=m.Tracing(updates=None, effects=True, fingerprints=True)) as traced:
        list(traced.stops("continue"))
        assert traced.end() == want
        assert traced.notices == []
