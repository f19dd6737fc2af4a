"""`stepdbg.watch` inside a session: numbers and tensors of one arrive on the page, the rest is told once."""

from __future__ import annotations

from pathlib import Path

from tracer.bare_hub import debuggee, write

from stepdbg.protocol.page import LOSS_NAMES, Page

SCRIPT = """
    import fractions, torch, stepdbg
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    stepdbg.watch("early", 1.0)
    for i in range(3):
        optimizer.zero_grad()
        loss = model(torch.ones(4, 2)).pow(2).mean()
        loss.backward()
        optimizer.step()
        version = model.bias._version
        stepdbg.watch("float", i + 0.5)
        stepdbg.watch("int", i)
        stepdbg.watch("fraction", fractions.Fraction(1, 4))
        stepdbg.watch("bias", model.bias)
        stepdbg.watch("loss", loss * 2)
        stepdbg.watch("many", model.weight)
        stepdbg.watch("words", "0.5")
        stepdbg.watch("huge", 10 ** 400)
        stepdbg.watch(3, 0.5)
        assert model.bias._version == version
    print(torch.rand(1).item())
"""


def test_numbers_arrive_and_what_is_none_is_told_once(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, SCRIPT), go="continue") as training:
        stop = training.stop()
        assert stop.reason == "exit"
        page = Page(training.folder / training.hello.page)
        names = page.watch_names()
        _, entries = page.losses_since(0)
        training.go("continue")
        status, _, errors = training.end()
    assert (status, errors) == (0, "")
    found = {
        name: [value for _, index, value in entries if index == LOSS_NAMES + place] for place, name in enumerate(names)
    }
    losses = [value for _, index, value in entries if index == 0]
    assert len(losses) == 3
    assert page.loss_names() == ("loss",)
    assert found["float"] == [0.5, 1.5, 2.5]
    assert found["int"] == [0, 1, 2]
    assert found["fraction"] == [0.25] * 3
    assert found["loss"] == [2 * value for value in losses]
    assert len(set(found["bias"])) == 3
    assert set(names) == {"float", "int", "fraction", "bias", "loss"}
    assert [update for update, index, _ in entries if index == 0] == [1, 2, 3]
    assert page.status().loss == losses[-1]
    told = [notice for notice in training.notices if "stepdbg.watch" in notice]
    assert len(told) == 4
    assert "'many'" in told[0]
    assert "2 elements" in told[0]
    assert "a str; give a number" in told[1]
    assert "'huge'" in told[2]
    assert "the name must be a string" in told[3]
