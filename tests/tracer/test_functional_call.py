"""What `torch.func.functional_call` lends a model for one call is not the model's own: nothing of it changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol import messages as m

START = """
    import torch
    from torch import nn
    from torch.func import functional_call
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    opt = torch.optim.Adam(model.parameters(), lr=0.1)
    x = torch.randn(8, 1)
"""
KINDS = {
    "weights of an inner step": """
    for i in range(2):
        opt.zero_grad(set_to_none=False)
        fast = dict(model.named_parameters())
        for _ in range(2):
            inner = functional_call(model, fast, (x,)).square().mean()
            grads = torch.autograd.grad(inner, list(fast.values()), create_graph=True)
            fast = {name: p - 0.1 * g for (name, p), g in zip(fast.items(), grads)}
        functional_call(model, fast, (x,)).square().mean().backward()
        opt.step()
    """,
    "some of the weights, moved by noise": """
    for i in range(2):
        opt.zero_grad(set_to_none=False)
        noisy = {"2.weight": model[2].weight + 0.1}
        functional_call(model, noisy, (x,)).square().mean().backward()
        opt.step()
    """,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_functional_call_lends_a_model_is_told_as_no_change_of_the_model_s_own(kind: str, tmp_path: Path) -> None:
    script = write(tmp_path, START + KINDS[kind])
    with debuggee(script, trace=m.Tracing(updates=None, effects=True, fingerprints=True)) as training:
        for _ in training.stops():
            pass
        training.end()
    changed = {
        (line.boundary.done, effect.kind, effect.what)
        for line in training.traced
        for effect in line.effects or ()
        if effect.kind in ("parameter", "grad", "state")
    }
    assert {done for done, kind, _ in changed if kind == "parameter"} == {"step"}
    states = {(done, what) for done, kind, what in changed if kind == "state"}
    assert states == {("step", "created"), ("step", "changed")}
    assert {done for done, kind, _ in changed if kind == "grad"} == {"backward", "zero_grad"}
    names = [{name for name in line.fingerprints or {} if name.startswith("model.")} for line in training.traced]
    assert all("model.2.weight" in each for each in names)
    assert not any("['params']" in name for line in training.traced for name in line.fingerprints or {})


def test_a_stop_inside_functional_call_shows_the_model_s_own_weights(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, START + KINDS["weights of an inner step"])) as training:
        seen = set()
        for stop in training.stops():
            if stop.boundary.update == 1 and stop.boundary.done != "step":
                answer = training.ask(m.LookAt("model.2.bias", row=0, rows=1, column=0, columns=1))
                seen.add(None if isinstance(answer, m.Refusal) else answer.window)
    assert len(seen) == 1
    assert None not in seen


WITHOUT_OPTIMIZER = """
    import torch
    from torch import nn
    from torch.func import functional_call, grad, hessian, jacfwd, jacrev, vjp, vmap
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x = torch.randn(5, 2)
    weights = {name: p.detach() for name, p in model.named_parameters()}
    def loss(weights, x):
        return functional_call(model, weights, (x,)).square().mean()
    def step(weights, x):
        found = grad(loss)(weights, x)
        return {name: p - 0.1 * found[name] for name, p in weights.items()}
"""
TRANSFORMS = {
    "a step": "weights = step(weights, x)",
    "a gradient for each sample": "vmap(grad(loss), in_dims=(None, 0))(weights, x)",
    "jacobians": "jacrev(loss)(weights, x); jacfwd(loss)(weights, x); hessian(lambda z: loss(weights, z))(x)",
    "vjp": "vjp(lambda z: loss(weights, z), x)[1](torch.ones(()))",
    "steps of an ensemble": "stacked = {name: torch.stack([p, p]) for name, p in weights.items()}\n"
    "        vmap(step, in_dims=(0, None))(stacked, x)",
}


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_transforms_with_no_optimizer_are_looked_at_and_tell_no_change_of_the_model(kind: str, tmp_path: Path) -> None:
    """The model's own weights are in no variable while others are lent to it, from the first call on."""
    script = (
        f"{WITHOUT_OPTIMIZER}    for _ in range(2):\n        {TRANSFORMS[kind]}\n        jacfwd(loss)(weights, x)\n"
    )
    with debuggee(write(tmp_path, script)) as training:
        stops = list(training.stops())
    assert training.notices == []
    assert "backward" in {stop.boundary.done for stop in stops} or kind == "vjp"
    effects = [effect for stop in stops if stop.effects for effect in stop.effects.named]
    assert [effect for effect in effects if effect.kind in ("parameter", "grad")] == []
