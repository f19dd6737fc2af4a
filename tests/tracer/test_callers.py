"""Where there are several models and optimizers, a stop says whose phases these are."""

from __future__ import annotations

from pathlib import Path

from tracer.bare_hub import bare, debuggee, write
from tracer.test_names import LOOP, seen

from stepdbg.tui.words.sentence import sentence

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


PARTS = """
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class Gan(nn.Module):
    def __init__(self):
        super().__init__()
        self.maker, self.critic = nn.Linear(2, 2), nn.Linear(2, 1)


gan = Gan()
opt_critic = torch.optim.Adam(gan.critic.parameters())
opt_maker = torch.optim.Adam(gan.maker.parameters())
for _ in range(2):
    gan.maker.requires_grad_(False)
    opt_critic.zero_grad()
    fake = gan.maker(torch.randn(4, 2))
    loss = F.softplus(gan.critic(fake)).mean() + F.softplus(-gan.critic(torch.randn(4, 2))).mean()
    loss.backward()
    opt_critic.step()
    gan.maker.requires_grad_(True)
    opt_maker.zero_grad()
    loss = F.softplus(-gan.critic(gan.maker(torch.randn(4, 2)))).mean()
    loss.backward()
    opt_maker.step()
"""


def test_a_part_of_a_model_that_is_called_by_itself_is_told_from_the_whole_and_seen_where_it_is_frozen_for_now(
    tmp_path: Path,
) -> None:
    with debuggee(write(tmp_path, PARTS)) as training:
        stops = list(training.stops())
    called = [stop.phases[-1].of for stop in stops if stop.boundary.done == "forward"]
    assert called == ["gan.maker", "gan.critic", "gan.critic", "gan.maker", "gan.critic"] * 2
    words = [sentence(stop, "gan") for stop in stops if stop.boundary.done == "forward"]
    assert [line.partition("`")[2].partition("`")[0] for line in words] == called


DISTILLED = """
student, teacher = Net(), Net()
opt = optim.SGD(student.parameters(), lr=0.1)
x = torch.randn(3, 4)
for update in range(3):
    opt.zero_grad()
    with torch.no_grad():
        for _ in range(2 if update == 2 else 1):
            wanted = teacher(x)
    loss = (student(x) - wanted).square().mean()
    loss.backward()
    opt.step()
"""


def test_an_evaluation_tells_whose_it_was_and_a_row_of_several_does_not(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, LOOP + DISTILLED)) as training:
        stops = [stop for stop in training.stops() if stop.boundary.done == "eval"]
    assert [stop.done_of for stop in stops] == ["teacher", "teacher", ""]
    assert [stop.evaluations for stop in stops] == [1, 1, 2]
    assert [sentence(stop, "student").partition(";")[0] for stop in stops] == [
        "eval called `teacher`",
        "eval called `teacher`",
        "2 evaluations ran",
    ]


def test_an_optimizer_that_goes_by_its_class_gets_the_name_of_a_variable_once_there_is_one(tmp_path: Path) -> None:
    script = """
class Trainer:
    def __init__(self, net):
        self.held = {"a": {"b": optim.SGD(net.parameters(), lr=0.1, momentum=0.9)}}
    def fit(self, net, updates):
        for update in range(updates):
            net.zero_grad()
            net(torch.randn(3, 4)).sum().backward()
            if update == 0:
                self.held["a"]["b"].step()
            else:
                self.step(self.held["a"]["b"])
    def step(self, opt):
        opt.step()

net = Net()
trainer = Trainer(net)
trainer.fit(net, 3)
"""
    names, stops = seen(write(tmp_path, LOOP + script))
    assert {name for name in names if name.startswith("optimizer ")} == {"optimizer SGD", "optimizer opt"}
    states = [
        [(effect.object, effect.what) for effect in stop.effects.named if effect.kind == "state"]
        for stop in stops
        if stop.effects and stop.boundary.done == "step"
    ]
    assert states == [
        [(f"{name}.state[net.fc.{part}].momentum_buffer", what) for part in ("weight", "bias")]
        for name, what in (("SGD", "created"), ("opt", "changed"), ("opt", "changed"))
    ]
    elsewhere = [
        effect for stop in stops if stop.boundary.done != "step" and stop.effects for effect in stop.effects.named
    ]
    assert not [effect for effect in elsewhere if effect.kind in ("state", "hyperparameter")]
