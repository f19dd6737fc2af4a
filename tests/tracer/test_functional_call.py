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
