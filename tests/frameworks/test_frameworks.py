"""Trainers of others, unmodified: the same bits, the phases that they run, and the names that the user knows."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from frameworks.running import effects, needs, phases, run, script
from harness.place import Place

from stepdbg.protocol import messages as m


class Expected(NamedTuple):
    packages: tuple[str, ...]
    phases: list[str]
    """An update per line; where a loader is asked and has no batch left, that is a `data` too."""
    names: set[str]
    touched: set[str]
    line: str
    """What stands in the user's line at a stop before a backward."""


STEP_AND_EVALUATE = "step/forward step/loss step/zero_grad step/backward step/clip step"

EXPECTED = {
    "hf_trainer.py": Expected(
        ("transformers", "accelerate"),
        [
            "zero_grad data data data forward backward forward backward clip step scheduler zero_grad",
            "data data forward backward forward backward clip step scheduler zero_grad eval",
            "data data data forward backward forward backward clip step scheduler zero_grad",
            "data data forward backward forward backward clip step scheduler zero_grad eval",
        ],
        {
            "model",
            "model.encoder.weight",
            "model.head.bias",
            "trainer.optimizer",
            "batch['labels']",
            "output['logits']",
        },
        {"trainer.optimizer.state[model.encoder.weight].exp_avg", "model.head.bias.grad"},
        "trainer.train()",
    ),
    "accelerate_loop.py": Expected(
        ("accelerate",),
        [
            "data data forward loss backward data forward loss backward clip step scheduler zero_grad",
            "data forward loss backward data forward loss backward clip step scheduler zero_grad",
            "data data forward loss backward data forward loss backward clip step scheduler zero_grad",
            "data forward loss backward data forward loss backward clip step scheduler zero_grad eval",
        ],
        {"net", "net.0.weight", "opt", "inputs", "targets", "predictions", "loss"},
        {"opt.state[net.2.weight].exp_avg", "net.0.weight.grad", "predictions"},
        "accelerator.backward(loss)",
    ),
    "lightning_fit.py": Expected(
        ("lightning",),
        [
            f"zero_grad eval data {STEP_AND_EVALUATE}",
            f"data {STEP_AND_EVALUATE} scheduler zero_grad eval",
            f"data {STEP_AND_EVALUATE}",
            f"data {STEP_AND_EVALUATE} scheduler zero_grad eval",
        ],
        {"module", "module.encoder.weight", "module.head.bias", "Adam"},
        {"Adam.state[module.encoder.weight].exp_avg", "module.head.bias.grad"},
        "trainer.fit(module, loader, validation)",
    ),
    "lightning_manual.py": Expected(
        ("lightning",),
        [
            "zero_grad data forward forward forward loss zero_grad backward step forward loss zero_grad backward step",
            "data forward forward forward loss zero_grad backward step forward loss zero_grad backward step",
            "data forward forward forward loss zero_grad backward step forward loss zero_grad backward step",
        ],
        {"gan", "gan.generator.weight", "gan.discriminator.bias", "opt_g", "opt_d", "d_loss", "g_loss"},
        {"opt_d.state[gan.discriminator.weight].exp_avg", "gan.generator.weight.grad", "d_loss", "g_loss"},
        "self.manual_backward(d_loss)",
    ),
    "fabric_loop.py": Expected(
        ("lightning",),
        ["data zero_grad forward loss backward clip step"] * 2
        + ["data zero_grad forward loss backward clip step data"],
        {"model", "model.0.weight", "optimizer", "inputs", "targets", "prediction", "loss"},
        {"optimizer.state[model.2.weight].exp_avg", "model.0.weight.grad"},
        "fabric.backward(loss)",
    ),
    "ignite_engine.py": Expected(
        ("ignite",),
        [
            "data zero_grad forward loss backward step",
            "data zero_grad forward loss backward step eval scheduler data",
            "data zero_grad forward loss backward step",
            "data zero_grad forward loss backward step eval scheduler",
        ],
        {"model", "model.0.weight", "model.1.running_mean", "optimizer"},
        {"optimizer.state[model.2.weight].momentum_buffer", "model.0.weight.grad", "model.1.running_mean"},
        "trainer.run(loader, max_epochs=2)",
    ),
    "skorch_fit.py": Expected(
        ("skorch",),
        [
            "data step/zero_grad step/forward step/loss step/backward step",
            "data step/zero_grad step/forward step/loss step/backward step data eval",
            "data step/zero_grad step/forward step/loss step/backward step",
            "data step/zero_grad step/forward step/loss step/backward step data eval",
        ],
        {"net.module_", "net.module_.encoder.weight", "net.optimizer_"},
        {"net.optimizer_.state[net.module_.head.bias].exp_avg", "net.module_.encoder.weight.grad"},
        "net.fit(features, labels)",
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_free_traced_and_stepped_it_ends_in_the_same_bits_and_goes_by_the_user_s_names(
    place: Place, name: str, tmp_path: Path
) -> None:
    expected = EXPECTED[name]
    needs(*expected.packages)
    runs = run(place, name, tmp_path / "trace.jsonl")
    assert runs.free == runs.bare
    assert runs.traced == runs.bare
    assert runs.stepped == runs.bare
    assert phases(runs.boundaries) == expected.phases
    assert phases([stop.boundary for stop in runs.stops]) == expected.phases
    assert expected.names <= runs.names
    assert expected.touched <= effects(runs.stops)
    check_the_frames(name, expected, next(stop for stop in runs.stops if stop.boundary.next == "backward"))
    place.wait_empty()


def check_the_frames(name: str, expected: Expected, stop: m.Stop) -> None:
    """The user's own frame is the one that is shown; the trainer's are at hand below it."""
    assert stop.boundary.file == script(name)
    assert stop.boundary.line is not None
    line = Path(script(name)).read_text().splitlines()[stop.boundary.line - 1]
    assert line.strip() == expected.line
    mine = next(place for place, frame in enumerate(stop.frames) if not frame.library)
    assert (stop.frames[mine].file, stop.frames[mine].line) == (stop.boundary.file, stop.boundary.line)
    if name == "ignite_engine.py":
        assert stop.frames[mine].function == "main"
        assert any(frame.file.endswith("ignite/engine/__init__.py") for frame in stop.frames[:mine])
