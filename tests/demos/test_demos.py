"""The demos: the same bits bare, traced and stepped, and the phases, names and losses that they promise.

demos/mnist.py and demos/plain.py are held to the same in tests/e2e/test_oracle.py, through the real screen;
demos/tour.py and demos/broken.py have tests of their own beside this one.
"""

from __future__ import annotations

from pathlib import Path

from harness.place import DEMOS, Place
from scripts.checking import check
from scripts.courses import Course
from scripts.running import run

CHARLM = "data zero_grad forward loss backward clip step scheduler"
GAN = "zero_grad forward forward forward loss backward step zero_grad forward loss backward step"


def test_charlm_clips_before_each_step_and_moves_two_groups_by_one_schedule(place: Place, tmp_path: Path) -> None:
    runs = run(place, DEMOS / "charlm.py", tmp_path / "trace.jsonl", "--updates", "3", "--digest")
    check(
        runs,
        Course(
            [CHARLM, CHARLM, CHARLM + " eval" * 60],
            names={"model.embedding.weight", "model.blocks.1.mlp.2.bias", "scores", "optimizer"},
            epochs=[1],
            effects={
                "clip": {"model.norm.weight.grad"},
                "scheduler": {"optimizer.param_groups[0]['lr']", "optimizer.param_groups[1]['lr']"},
            },
        ),
    )
    clipped = next(line for line in runs.lines if line.done == "clip")
    assert {effect.kind for effect in clipped.effects} == {"grad"}
    assert "model.head.weight" not in runs.stepping.names, "a tied parameter is listed once"
    place.wait_empty()


def test_gan_steps_two_models_in_turn_and_each_step_moves_its_own(place: Place, tmp_path: Path) -> None:
    runs = run(place, DEMOS / "gan.py", tmp_path / "trace.jsonl", "--updates", "2", "--digest")
    check(
        runs,
        Course(
            [GAN, GAN + " eval"],
            names={"generator.4.bias", "discriminator.0.weight", "optimizer_g", "optimizer_d"},
            losses=["loss_d", "loss_g"],
        ),
    )
    affected = [
        {effect.object.split(".")[0] for effect in line.effects if effect.kind in ("parameter", "grad")}
        for line in runs.lines
        if line.done in ("backward", "step")
    ]
    one_update = [{"discriminator"}, {"discriminator"}, {"generator", "discriminator"}, {"generator"}]
    assert affected == one_update * 2
    place.wait_empty()
