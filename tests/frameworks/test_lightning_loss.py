"""The loss that Lightning keeps to itself is told when it is there, and as what it is where gradients accumulate."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from frameworks.running import needs, script
from tracer.bare_hub import debuggee

from stepdbg.tui.words.sentence import sentence


@pytest.mark.parametrize(("batches", "name"), [(1, "loss"), (2, "loss / 2")])
def test_the_loss_of_a_training_step_is_told_once_it_is_computed_as_what_backward_is_called_on(
    batches: int, name: str, tmp_path: Path
) -> None:
    needs("lightning")
    text = Path(script("lightning_fit.py")).read_text()
    path = tmp_path / "fit.py"
    path.write_text(text.replace("max_epochs=2,", f"max_epochs=1, accumulate_grad_batches={batches},"))
    shutil.copy(script("digest.py"), tmp_path)
    with debuggee(str(path)) as training:
        stops = list(training.stops())
        status, out, _ = training.end()
    assert status == 0
    printed = [float(line.split()[2]) / batches for line in out.splitlines() if line.startswith("train ")]
    assert len(printed) == 2
    computed = [stop for stop in stops if stop.boundary.done == "loss"]
    assert [stop.boundary.loss for stop in computed] == printed
    assert all(sentence(stop).startswith(f"loss computed `{name}` = ") for stop in computed)
    walked = [stop for stop in stops if stop.boundary.done == "backward"]
    assert [(stop.walked_from, stop.boundary.loss) for stop in walked] == [(name, loss) for loss in printed]
    created = [
        (stop.boundary.done, effect.object)
        for stop in stops
        if stop.effects is not None
        for effect in stop.effects.named
        if effect.kind == "loss"
    ]
    assert created == [("loss", name)] * 2
