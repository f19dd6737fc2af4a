"""Where there are several models and optimizers, a stop says whose phases these are."""

from __future__ import annotations

from pathlib import Path

from tracer.bare_hub import bare, debuggee

DEMOS = Path(__file__).parents[2] / "demos"


def test_a_gan_tells_whose_forward_backward_and_step_each_one_is_and_trains_the_same_bits() -> None:
    arguments = (str(DEMOS / "gan.py"), "--updates", "2", "--digest")
    with debuggee(*arguments) as training:
        steps = list(training.stops())
        assert training.end() == bare(*arguments)
    (complete,) = [stop for stop in steps if stop.boundary.opens == 2]
    assert [(record.name, record.of) for record in complete.phases] == [
        ("zero_grad", "optimizer_d"),
        ("forward", "generator"),
        ("forward", "discriminator"),
        ("forward", "discriminator"),
        ("loss", "loss_d"),
        ("backward", "loss_d"),
        ("step", "optimizer_d"),
        ("zero_grad", "optimizer_g"),
        ("forward", "discriminator"),
        ("loss", "loss_g"),
        ("backward", "loss_g"),
        ("step", "optimizer_g"),
    ]
    coming = [(stop.boundary.next, stop.next_of) for stop in steps if not stop.boundary.predicted]
    assert coming[:3] == [("zero_grad", "optimizer_d"), ("forward", "generator"), ("backward", "loss_d")]


def test_where_there_is_one_model_and_one_optimizer_nobody_is_told() -> None:
    with debuggee(str(DEMOS / "tour.py"), "--updates", "1") as training:
        stops = list(training.stops())
    assert not any(record.of for stop in stops for record in stop.phases)
    assert not any(stop.next_of for stop in stops)
