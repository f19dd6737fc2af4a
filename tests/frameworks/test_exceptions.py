"""An exception under a trainer is a stop before the trainer tears anything down, and afterwards the run is as bare."""

from __future__ import annotations

from frameworks.running import Outcome, needs, script
from tracer.bare_hub import bare, debuggee

from stepdbg.protocol import messages as m
from stepdbg.tui.words.sentence import sentence


def test_under_lightning_nothing_is_torn_down_at_the_stop() -> None:
    needs("lightning")
    name = script("lightning_raises.py")
    with debuggee(name, go="continue") as training:
        stop = training.stop()
        assert stop is not None
        assert stop.boundary.inside == ("step", "forward")
        words = sentence(stop)
        assert "RuntimeError in forward of module.layer (Linear 6→1): mat1 and mat2" in words
        assert "with batch 1×5 and self.layer.weight 1×6, float32" in words
        assert "meta" not in words
        rows = {row.name for row in training.ask(m.ListObjects()).rows}
        assert {"module.layer.weight", "module.layer.bias"} <= rows
        assert training.go("continue") is None
        ended = Outcome(*training.end())
        assert training.notices == []
    assert ended == Outcome(*bare(name))
    assert "torn down cpu" in ended.stdout
