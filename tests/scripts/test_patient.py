"""Scripts that can tell when somebody looks: bare, traced, stepped and free they print the same, without a notice."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import bare, debuggee, write

from stepdbg.protocol import messages as m

START = """
    import sys, warnings
    import torch
    from torch import nn
    torch.manual_seed(0)
    def net():
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    def train(model, optimizer, updates=3, x=None):
        for _ in range(updates):
            optimizer.zero_grad()
            loss = model(torch.randn(5, 4) if x is None else x).pow(2).mean()
            loss.backward()
            optimizer.step()
            print(loss.item())
"""

MODES = """
    from torch.overrides import TorchFunctionMode
    from torch.utils._debug_mode import DebugMode
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import FlopCounterMode
    seen = []
    class Dispatch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(str(func))
            return func(*args, **(kwargs or {}))
    class Function(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(getattr(func, "__name__", str(func)))
            return func(*args, **(kwargs or {}))
    class Marked(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            seen.append("marked " + getattr(func, "__name__", str(func)))
            return super().__torch_function__(func, types, args, kwargs or {})
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with FlopCounterMode(display=False) as flops, Dispatch(), Function():
        train(model, optimizer)
    print(flops.get_total_flops(), seen)
    seen.clear()
    for _ in range(3):
        optimizer.zero_grad()
        loss = model(torch.randn(5, 4).as_subclass(Marked)).pow(2).mean()
        loss.backward()
        optimizer.step()
    print(seen)
    with DebugMode() as mode:
        train(model, optimizer, 1)
    print(mode.debug_string().count("aten::"))
"""

PROFILED = """
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with torch.profiler.profile() as profile:
        train(model, optimizer)
    print(sorted((event.key, event.count) for event in profile.key_averages()))
"""

CONTEXTS = """
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (seen.append(t.shape), t)[1], lambda t: t):
        seen = []
        train(model, optimizer)
        print(len(seen))
    with torch.autocast("cpu", torch.bfloat16):
        train(model, optimizer)
    torch.set_default_device("meta")
    train(model, optimizer, x=torch.ones(5, 4, device="cpu"))
    torch.set_default_device("cpu")
    with torch.inference_mode():
        print(model(torch.ones(2, 4)).is_inference())
    def loss_of(parameters, x):
        return torch.func.functional_call(model, parameters, x).pow(2).mean()
    grads = torch.func.grad(loss_of)(dict(model.named_parameters()), torch.ones(2, 4))
    print(torch.vmap(model)(torch.ones(3, 2, 4)).shape, [round(g.norm().item(), 5) for g in grads.values()])
    import torch.autograd.forward_ad as forward
    with forward.dual_level():
        out = model(forward.make_dual(torch.ones(2, 4), torch.ones(2, 4)))
        print(forward.unpack_dual(out).tangent.sum().item())
    torch.use_deterministic_algorithms(True)
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        train(model, optimizer)
    traced = torch.jit.trace(model, torch.ones(2, 4))
    print([node.kind() for node in traced.inlined_graph.nodes()])
"""

PATCHES = """
    import pickle
    from unittest import mock
    import cloudpickle
    import torch.fx
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 1)
        def zero_grad(self, set_to_none=True):
            return super().zero_grad(set_to_none)
        def forward(self, x):
            return self.b(self.a(x))
    model = nn.Sequential(Inner(), nn.ReLU())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plain, calls = nn.Module.__call__, []
    def counted(self, *args, **kwargs):
        calls.append(type(self).__name__)
        return below(self, *args, **kwargs)
    for updates in (1, 4):  # before anything is known, and after
        below = nn.Module.__call__
        with mock.patch.object(nn.Module, "__call__", counted):
            train(model, optimizer, updates)
        train(model, optimizer, updates)
        print(calls)
        print([(node.op, str(node.target)) for node in torch.fx.symbolic_trace(model).graph.nodes])
    train(model[0], optimizer)
    print(nn.Module.__call__.__name__, pickle.loads(pickle.dumps(model[1])))
    again = pickle.loads(cloudpickle.dumps(model[0]))
    again.zero_grad()
    print(again(torch.ones(1, 4)).item())
"""

WARNED = """
    class Complex(nn.Module):
        def __init__(self):
            super().__init__()
            self.c = nn.Parameter(torch.randn(3, dtype=torch.complex64))
        def forward(self, x):
            return (self.c.abs() * x).sum()
    def own():
        warnings.warn("the script's own, once for each place")
    model = Complex()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        own()
        train(model, optimizer, 1, torch.ones(3))
    model.c.detach().to(torch.float64)
    torch.ones(2, 2).to_sparse_csr()
    print("filters", [one[0] for one in warnings.filters])
"""

KEPT = """
    def fit(lr=0.1, width=4):
        chosen = locals()
        model = nn.Linear(width, 1)
        train(model, torch.optim.SGD(model.parameters(), lr=lr), x=torch.ones(2, width))
        print(sorted(chosen))
    fit()
"""

LIES = """
    log = []
    def told(name, what):
        def method(self, *args, **kwargs):
            log.append(name)
            if isinstance(what, Exception):
                raise what
            return what
        return method
    class Fixed(Exception):
        def __setattr__(self, name, value):
            raise TypeError("frozen")
    for what in (RuntimeError("mine"), None, [], 3, iter(()), "text"):
        names = ("parameters", "named_parameters", "named_modules", "buffers", "named_buffers", "modules", "children",
                 "state_dict", "__iter__", "__len__", "__bool__", "__eq__", "__hash__", "__repr__", "extra_repr")
        Lying = type("Lying", (nn.Module,), {name: told(name, what) for name in names})
        Lying.forward = lambda self, x: self.layer(x)
        Lying.odd = property(lambda self: log.append("property"))
        model = Lying()
        model.layer = nn.Linear(4, 1)
        held = [model.layer.weight, model.layer.bias]
        optimizer = torch.optim.SGD(held, lr=0.1)
        optimizer.param_groups[0]["odd"] = Lying()
        optimizer.param_groups[0][(1, "odd")] = object
        optimizer.state[held[0]]["odd"] = Lying()
        log.clear()
        for _ in range(3):
            optimizer.zero_grad()
            nn.Module.__call__(model, torch.ones(2, 4)).pow(2).mean().backward()
            optimizer.step()
        print(log, held[0].sum().item())
    class Loader(torch.utils.data.DataLoader):
        def __len__(self):
            raise TypeError("endless")
        def __iter__(self):
            yield torch.ones(2, 4)
            yield torch.ones(2, 4)
    class Grouped(torch.optim.SGD):
        def step(self, closure=None):
            vars(self)["param_groups"] = groups
            super().step(closure)
            vars(self)["param_groups"] = [None]
    model = nn.Linear(4, 1)
    optimizer = Grouped(model.parameters(), lr=0.1)
    groups = optimizer.param_groups
    for x in Loader([1]):
        for p in model.parameters():
            p.grad = None
        model(x).sum().backward()
        optimizer.step()
        print(model.weight.sum().item())
    class Scheduler(torch.optim.lr_scheduler.StepLR):
        @property
        def optimizer(self):
            if log is None:
                raise RuntimeError("gone")
            return vars(self)["kept"]
        @optimizer.setter
        def optimizer(self, value):
            vars(self)["kept"] = value
    good = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = Scheduler(good, 1)
    train(model, good)
    scaler = type("Scaler", (torch.amp.GradScaler,), {"__init__": lambda self: None})()
    for call in (lambda: scaler.scale(torch.ones(())), lambda: scaler.step(good), lambda: scaler.unscale_(good)):
        try:
            call()
        except AttributeError as error:
            print(error)
    class Raises(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 1)
        def forward(self, x):
            raise Fixed("frozen")
    try:
        Raises()(torch.ones(2, 4))
    except Fixed as error:
        print("caught", error)
    log = None
    try:
        scheduler.step()
    except RuntimeError as error:
        print(error)
"""

SCRIPTS = {
    "modes": MODES,
    "a profiler": PROFILED,
    "contexts": CONTEXTS,
    "patches, fx and pickles": PATCHES,
    "warnings": WARNED,
    "locals": KEPT,
    "objects that lie": LIES,
}


@pytest.mark.parametrize("what", SCRIPTS)
def test_a_script_cannot_tell_that_it_is_looked_at(what: str, tmp_path: Path) -> None:
    script = write(tmp_path, START + SCRIPTS[what])
    expected = _told(bare(script))
    assert expected[0] == 0, expected[2]
    wanted = m.Tracing(effects=True, fingerprints=True)
    for go, trace in (("next", None), ("continue", None), ("continue", wanted)):
        with debuggee(script, go=go, trace=trace) as training:
            for stop in training.stops(go):
                if go == "next" and stop.boundary.index % 4 == 2:
                    training.ask(m.ListObjects())
                    training.ask(m.ListOptimizers())
                    training.ask(m.ListLocals(0))
            assert _told(training.end()) == expected, (go, trace)
            assert not training.notices or (what == "objects that lie" and _gives_up_one(training.notices))


def _told(run: tuple[int, str, str]) -> tuple[int, str, str]:
    """How a run has ended, without the times at which torch's profiler says that it begins and ends."""
    status, out, err = run
    return status, out, "".join(line for line in err.splitlines(keepends=True) if not line.startswith("USDT:"))


def _gives_up_one(notices: list[str]) -> bool:
    """Whether nothing is told but that a boundary was given up, once."""
    return len(notices) == 1 and "a boundary could not be looked at" in notices[0]
