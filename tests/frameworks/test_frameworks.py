"""Trainers of others, unmodified: the same bits, the phases that they run, and the names that the user knows."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from frameworks.running import effects, needs, phases, run_bare, run_free, run_traced, script, step_through
from harness.place import Place


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
            "zero_grad data data data forward backward forward backward clip step scheduler",
            "zero_grad data data forward backward forward backward clip step scheduler",
            "zero_grad eval data data data forward backward forward backward clip step scheduler",
            "zero_grad data data forward backward forward backward clip step scheduler",
            "zero_grad eval",
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
            "data data forward loss backward data forward loss backward clip step scheduler",
            "zero_grad data forward loss backward data forward loss backward clip step scheduler",
            "zero_grad data data forward loss backward data forward loss backward clip step scheduler",
            "zero_grad data forward loss backward data forward loss backward clip step scheduler",
            "zero_grad eval",
        ],
        {"net", "net.0.weight", "opt", "inputs", "targets", "predictions", "loss"},
        {"opt.state[net.2.weight].exp_avg", "net.0.weight.grad", "predictions"},
        "accelerator.backward(loss)",
    ),
    "lightning_fit.py": Expected(
        ("lightning",),
        [
            f"zero_grad eval data {STEP_AND_EVALUATE}",
            f"data {STEP_AND_EVALUATE} scheduler",
            f"zero_grad eval data {STEP_AND_EVALUATE}",
            f"data {STEP_AND_EVALUATE} scheduler",
            "zero_grad eval",
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
        {"gan", "gan.generator.weight", "gan.discriminator.bias", "SGD", "Adam", "d_loss", "g_loss"},
        {"Adam.state[gan.discriminator.weight].exp_avg", "gan.generator.weight.grad", "d_loss", "g_loss"},
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
def test_a_free_run_changes_no_bit(place: Place, name: str) -> None:
    needs(*EXPECTED[name].packages)
    assert run_free(place, name) == run_bare(name)
    place.wait_empty()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_traced_run_changes_no_bit_and_tells_the_phases_of_each_update(
    place: Place, name: str, tmp_path: Path
) -> None:
    needs(*EXPECTED[name].packages)
    outcome, boundaries = run_traced(place, name, tmp_path / "trace.jsonl")
    assert outcome == run_bare(name)
    assert phases(boundaries) == EXPECTED[name].phases


@pytest.mark.parametrize("name", EXPECTED)
def test_stepped_at_every_boundary_it_ends_in_the_same_bits_and_goes_by_the_user_s_names(name: str) -> None:
    expected = EXPECTED[name]
    needs(*expected.packages)
    stops, names, outcome = step_through(name)
    assert outcome == run_bare(name)
    assert expected.names <= names
    assert expected.touched <= effects(stops)
    before_backward = next(stop.boundary for stop in stops if stop.boundary.next == "backward")
    assert before_backward.file == script(name)
    line = Path(script(name)).read_text().splitlines()[before_backward.line - 1]
    assert line.strip() == expected.line
    assert phases([stop.boundary for stop in stops]) == expected.phases


def test_the_trainer_s_own_frames_are_at_hand_below_the_user_s() -> None:
    needs("ignite")
    stops, _, _ = step_through("ignite_engine.py")
    stop = next(stop for stop in stops if stop.boundary.next == "backward")
    mine = next(place for place, frame in enumerate(stop.frames) if not frame.library)
    assert stop.frames[mine].function == "main"
    assert any(f"{frame.file}".endswith("ignite/engine/__init__.py") for frame in stop.frames[:mine])
