"""A part of a model that is called by itself is no tie; two layers of one weight are."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee

from stepdbg.protocol.messages import Tracing

SCRIPT = """
import torch
from torch import nn

encoder, decoder = nn.Linear(4, 4), nn.Linear(4, 4)
{tie}
model = nn.Sequential(encoder, nn.Tanh(), decoder)
optimizer = torch.optim.Adam(model.parameters())
for _ in range(3):
    x = torch.randn(6, 4)
    optimizer.zero_grad()
    loss = (model(x) - x).square().mean() + encoder(x).square().mean()
    loss.backward()
    optimizer.step()
"""


@pytest.mark.parametrize(("tie", "rules"), [("", set()), ("decoder.weight = encoder.weight", {"tied-parameters"})])
def test_only_one_tensor_in_two_places_is_a_tie(tie: str, rules: set[str], tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(tie=tie))
    wanted = Tracing(updates=20, rules=("tied-parameters", "broken-tie"))
    with debuggee(str(script), go="continue", trace=wanted) as training:
        list(training.stops("continue"))
        code, _, errors = training.end()
    assert code == 0, errors
    assert {one.rule for one in training.found} == rules
    assert training.checked is not None
    assert training.checked.updates == 3
