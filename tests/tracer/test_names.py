"""Models, optimizers, losses and batches are called what the user's frame calls them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import bare, debuggee, write

from stepdbg.protocol import messages as m

LOOP = """
import copy
import torch
from torch import nn, optim

torch.manual_seed(0)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 1)
    def forward(self, x):
        return self.fc(x)
"""


def seen(path: str, limit: int = 14, cold: bool = False) -> tuple[set[str], list[m.Stop]]:
    """The names of all objects over the first stops, and those stops; the script ends as a bare one."""
    names: set[str] = set()
    stops = []
    with debuggee(path, cold=cold) as training:
        for stop in training.stops():
            stops.append(stop)
            if len(stops) <= limit:
                names |= {row.name for row in training.ask(m.ListObjects()).rows if row.node not in ("module", "group")}
                for optimizer in training.ask(m.ListOptimizers()).optimizers:
                    names.add(f"optimizer {optimizer.name}")
        assert training.end() == bare(path, cold=cold)
        assert not training.notices
    return names, stops


def effects(stops: list[m.Stop]) -> set[str]:
    return {effect.object for stop in stops if stop.effects for effect in stop.effects.named}


CASES = {
    "variables of a function": (
        """
def train(net, opt):
    for _ in range(2):
        x = torch.randn(3, 4)
        opt.zero_grad()
        prediction = net(x)
        criterion = prediction.square().mean()
        criterion.backward()
        opt.step()

def main():
    model = Net()
    train(model, optim.Adam(model.parameters()))

main()
""",
        {"net.fc.weight", "prediction", "criterion", "optimizer opt"},
        {"opt.state[net.fc.weight].exp_avg", "net.fc.weight.grad"},
    ),
    "attributes of the user's own object": (
        """
class Runner:
    def __init__(self):
        self.model = Net()
        self.optimizers = {"main": optim.Adam(self.model.parameters())}
    def run(self):
        for _ in range(2):
            self.optimizers["main"].zero_grad()
            loss = self.model(torch.randn(3, 4)).sum()
            loss.backward()
            self.optimizers["main"].step()

Runner().run()
""",
        {"self.model.fc.weight", "loss", "optimizer self.optimizers['main']"},
        {"self.optimizers['main'].state[self.model.fc.weight].exp_avg"},
    ),
    "private attributes are a last resort": (
        """
class Runner:
    def __init__(self):
        self._model = Net()
        self._opt = optim.SGD(self._model.parameters(), lr=0.1)
    def run(self):
        for _ in range(2):
            self._opt.zero_grad()
            loss = self._model(torch.randn(3, 4)).sum()
            loss.backward()
            self._opt.step()

Runner().run()
""",
        {"self._model.fc.weight", "optimizer self._opt"},
        {"self._model.fc.weight.grad"},
    ),
    "class names, made unique, where no variable refers to them": (
        """
def steps():
    pairs = [(net, optim.SGD(net.parameters(), lr=0.1)) for net in (Net(), Net())]
    def step(which):
        pairs_of = iter(pairs)
        for _ in range(which):
            next(pairs_of)
        return next(pairs_of)
    return step

def run():
    step = steps()
    for _ in range(2):
        for which in range(2):
            step(which)[1].zero_grad()
            step(which)[0](torch.randn(3, 4)).sum().backward()
            step(which)[1].step()

run()
""",
        {"Net.fc.weight", "Net_2.fc.weight", "optimizer SGD", "optimizer SGD_2"},
        {"Net_2.fc.weight.grad"},
    ),
    "a module that trains itself goes by the name of the outer frame": (
        """
class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor, self.critic = Net(), Net()
        self.opt = optim.SGD(self.parameters(), lr=0.1)
    def update(self, x):
        self.opt.zero_grad()
        value = self.actor(x) + self.critic(x)
        loss = value.sum()
        loss.backward()
        self.opt.step()

agent = Agent()
for _ in range(2):
    agent.update(torch.randn(3, 4))
""",
        {"agent.actor.fc.weight", "agent.critic.fc.weight", "optimizer agent.opt", "loss"},
        {"agent.critic.fc.weight.grad"},
    ),
    "several outputs, each by its variable": (
        """
class Two(Net):
    def forward(self, x):
        return self.fc(x), self.fc(-x)

def train():
    vae = Two()
    optimizer = optim.SGD(vae.parameters(), lr=0.1)
    for _ in range(2):
        mu, logvar = vae(torch.randn(3, 4))
        loss = mu.sum() + logvar.square().sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

train()
""",
        {"mu", "logvar", "vae.fc.weight"},
        {"mu", "logvar"},
    ),
    "a batch that is a dictionary, an output that is an object": (
        """
from torch.distributions import Normal

class Policy(Net):
    def forward(self, x):
        return Normal(self.fc(x), 1.0)

data = [{"obs": torch.randn(4), "act": torch.randn(1)} for _ in range(4)]
policy = Policy()
optimizer = optim.SGD(policy.parameters(), lr=0.1)
for batch in torch.utils.data.DataLoader(data, batch_size=2):
    dist = policy(batch["obs"])
    loss = -dist.log_prob(batch["act"]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
        {"batch['obs']", "batch['act']", "dist.loc", "policy.fc.weight"},
        {"batch['obs']", "policy.fc.weight.grad"},
    ),
    "networks whose forward is called directly, one of which no optimizer holds": (
        """
class Deep(Net):
    def forward(self, x):
        return self.fc(x)

online, target = Deep(), Deep()
optimizer = optim.SGD(online.parameters(), lr=0.1)
for _ in range(2):
    x = torch.randn(3, 4)
    with torch.no_grad():
        wanted = target.forward(x)
    loss = (online.forward(x) - wanted).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    target.fc.weight.data.lerp_(online.fc.weight.data, 0.5)
""",
        {"online.fc.weight", "target.fc.weight"},
        {"online.fc.weight.grad", "target.fc.weight"},
    ),
    "a model that comes into sight after its first forward keeps what is known of it": (
        """
class Own(Net):
    def __call__(self, x):
        return self.fc(x)

held = {"a": {"b": {"c": {"d": Own()}}}}
loss = held["a"]["b"]["c"]["d"](torch.randn(3, 4)).sum()
loss.backward()
model = held["a"]["b"]["c"]["d"]
optimizer = optim.SGD(model.parameters(), lr=0.1)
optimizer.step()
""",
        {"model.fc.weight"},
        {"model.fc.weight"},
    ),
    "tensors with no model": (
        """
w = torch.zeros(4, requires_grad=True)
optimizer = optim.Adam([w])
for _ in range(2):
    optimizer.zero_grad()
    loss = (w - 1).square().sum()
    loss.backward()
    optimizer.step()
""",
        {"w"},
        {"w.grad", "optimizer.state[w].exp_avg"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_objects_are_called(case: str, tmp_path: Path) -> None:
    script, objects, touched = CASES[case]
    names, stops = seen(write(tmp_path, LOOP + script))
    assert objects <= names
    assert touched <= effects(stops)


WRAPPED = """
class Wrapper(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.module = inner
    def forward(self, *args):
        return self.module(*args)

def train(model, optimizer):
    for _ in range(2):
        optimizer.zero_grad()
        loss = model(torch.randn(3, 4)).sum()
        loss.backward()
        optimizer.step()
"""


@pytest.mark.parametrize(
    ("use", "name"),
    [
        ("net = Net(); parallel = Wrapper(net)", "net.fc.weight"),
        ("parallel = Wrapper(Net())", "parallel.module.fc.weight"),
        ("parallel = torch.compile(Net(), backend='eager')", "parallel._orig_mod.fc.weight"),
        ("net = Net(); parallel = torch.compile(net, backend='eager')", "net.fc.weight"),
        ("parallel = optim.swa_utils.AveragedModel(Net())", "parallel.module.fc.weight"),
    ],
)
def test_a_wrapped_model_is_called_what_a_variable_refers_to(use: str, name: str, tmp_path: Path) -> None:
    train = WRAPPED.replace("def train(model, optimizer):", "if True:").replace("model(", "parallel(")
    script = train.replace("if True:", f"{use}\noptimizer = optim.SGD(parallel.parameters(), lr=0.1)\nif True:")
    compiled = "compile" in use  # dynamo keeps what it finds in torch as it is imported, so the tracer comes first
    names, stops = seen(write(tmp_path, LOOP + script), cold=compiled)
    assert {found for found in names if found.endswith("weight")} == {name}
    assert f"{name}.grad" in effects(stops)


def test_an_average_is_known_before_it_is_called(tmp_path: Path) -> None:
    script = """
model = Net()
ema = optim.swa_utils.AveragedModel(model)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    optimizer.zero_grad()
    loss = model(torch.randn(3, 4)).sum()
    loss.backward()
    optimizer.step()
    ema.update_parameters(model)
"""
    names, _ = seen(write(tmp_path, LOOP + script))
    assert {"model.fc.weight", "ema.module.fc.weight", "ema.n_averaged"} <= names


def test_a_name_once_given_stays_also_where_another_frame_calls_it_otherwise(tmp_path: Path) -> None:
    script = """
def evaluate(candidate):
    with torch.no_grad():
        return candidate(torch.randn(3, 4)).sum()

def train(model, optimizer):
    for _ in range(2):
        optimizer.zero_grad()
        evaluate(model)
        loss = model(torch.randn(3, 4)).sum()
        loss.backward()
        optimizer.step()

net = Net()
train(net, optim.SGD(net.parameters(), lr=0.1))
"""
    names, stops = seen(write(tmp_path, LOOP + script))
    assert {name for name in names if name.endswith("weight")} == {"model.fc.weight"}
    assert not any(
        effect.what in ("created", "freed")
        for stop in stops
        if stop.effects
        for effect in stop.effects.named
        if effect.kind == "parameter"
    )


def test_no_code_of_the_user_s_runs_for_a_name(tmp_path: Path) -> None:
    script = """
class Loud(dict):
    def __iter__(self): print("iterated"); return super().__iter__()
    def items(self): print("items"); return super().items()
    def __getitem__(self, key): print("got"); return super().__getitem__(key)
    def __getattr__(self, name): print("asked", name); raise AttributeError(name)

class Key:
    def __repr__(self): print("shown"); return "Key()"

class Holder:
    def __init__(self): self.model = Net()
    @property
    def optimizer(self): print("property"); return None
    def __getattribute__(self, name): print("attribute", name); return object.__getattribute__(self, name)

loud, keyed, holder = Loud(a=torch.ones(1)), {Key(): torch.ones(2)}, Holder()
model = holder.model
optimizer = optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    optimizer.zero_grad()
    loss = model(torch.randn(3, 4)).sum()
    loss.backward()
    optimizer.step()
"""
    names, _ = seen(write(tmp_path, LOOP + script))
    assert "model.fc.weight" in names


MADE = {
    "a loss that the user calls output": (
        "output = net(torch.ones(3, 4)).mean(); output.backward()",
        ["output created model_output", "loss created output"],
    ),
    "a dictionary of outputs": (
        "res = wide(torch.ones(3, 4)); loss = res['a'].mean() + res['b'].mean(); loss.backward()",
        ["output created res['a']", "output created res['b']", "loss created loss"],
    ),
    "outputs, one of which is the loss": (
        "out, loss = both(torch.ones(3, 4)); loss.backward()",
        ["output created out", "output created loss"],
    ),
    "an output that gets another name": (
        "first = net(torch.ones(3, 4)); again = first; del first; net.zero_grad(); again.mean().backward()",
        ["output created first", "loss created again.mean()"],
    ),
    "outputs that get their names after another call": (
        "outs = []\nfor _ in range(2): outs.append(net(torch.ones(3, 4)))\n"
        "one, two = outs; loss = (one + two).mean(); loss.backward()",
        ["output created output", "output created output", "loss created loss"],
    ),
    "an output that is called by no name": (
        "_ = net(torch.ones(3, 4)); loss = _.mean(); del _; loss.backward()",
        ["output created output", "loss created loss"],
    ),
    "loops over models": (
        "for n in nets: loss = n(torch.ones(3, 4)).mean(); loss.backward()",
        ["nets[0].fc.weight.grad", "nets[1].fc.weight.grad"],
    ),
}


@pytest.mark.parametrize("kind", MADE)
def test_what_was_made_is_told_once_and_by_the_user_s_name_for_it(kind: str, tmp_path: Path) -> None:
    body, wanted = MADE[kind]
    models = """
class Wide(Net):
    def forward(self, x):
        return {"a": self.fc(x), "b": self.fc(-x)}
class Both(Net):
    def forward(self, x):
        return self.fc(x), self.fc(x).mean()
net, wide, both, nets = Net(), Wide(), Both(), [Net(), Net()]
opt = optim.SGD([p for m in (net, wide, both, *nets) for p in m.parameters()], lr=0.1)
opt.zero_grad()
"""
    with debuggee(write(tmp_path, f"{LOOP}{models}{body}\n")) as training:
        stops = list(training.stops())
        assert not training.notices
    found = [effect for stop in stops if stop.effects for effect in stop.effects.named]
    if kind == "loops over models":
        assert {effect.object for effect in found} >= set(wanted)
        return
    made = [f"{one.kind} {one.what} {one.object}" for one in found if one.kind in ("output", "loss")]
    assert made == wanted


def test_what_is_gathered_in_a_list_or_is_of_an_earlier_loss_is_not_the_loss(tmp_path: Path) -> None:
    script = """
net = Net()
opt = optim.SGD(net.parameters(), lr=0.1)
for _ in range(2):
    losses = []
    for _ in range(3):
        log_prob = net(torch.randn(4)).sigmoid().log().sum()
        losses.append(-log_prob)
    opt.zero_grad()
    total = torch.stack(losses).sum()
    total.backward()
    opt.step()

def sample():
    net(torch.zeros(4))

for _ in range(2):
    real_loss, fake_loss = net(torch.ones(4)).sum(), net(-torch.ones(4)).square().sum()
    loss = real_loss + fake_loss
    opt.zero_grad()
    loss.backward()
    opt.step()
    sample()
"""
    _, stops = seen(write(tmp_path, LOOP + script))
    told = [
        (stop.boundary.next, [effect.object for effect in stop.effects.named if effect.kind == "loss"])
        for stop in stops
        if stop.effects and any(effect.kind == "loss" for effect in stop.effects.named)
    ]
    gathered = [("zero_grad", ["losses[2]"]), ("backward", ["total"])]
    assert told == gathered * 2 + [("zero_grad", ["loss", "real_loss", "fake_loss"])] * 2
    values = [stop.boundary.loss for stop in stops if stop.boundary.done == "loss"]
    assert values[0] is None
    assert stops[-1].boundary.loss == values[-1], "a forward from which nothing is learned has no loss of its own"


def test_the_main_module_of_an_installed_package_is_the_user_s(tmp_path: Path) -> None:
    """`python -m package.train`: its variables have names, and its lines are told."""
    package = tmp_path / "site-packages" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    script = (
        LOOP
        + """
def main():
    net = Net()
    opt = optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        loss = net(torch.randn(3, 4)).sum()
        loss.backward()
        opt.step()

if __name__ == "__main__":
    main()
"""
    )
    program = package / "train.py"
    program.write_text(script)
    names, stops = seen(str(program))
    assert {"net.fc.weight", "loss", "optimizer opt"} <= names
    assert {stop.boundary.file for stop in stops[:-1]} == {str(program)}


def test_backward_tells_the_gradients_of_what_is_trained_by_hand(tmp_path: Path) -> None:
    script = """
a, b = torch.ones(3, requires_grad=True), torch.zeros((), requires_grad=True)
for _ in range(2):
    loss = (a.sum() + b - 1).square()
    loss.backward()
    with torch.no_grad():
        a -= 0.1 * a.grad
        b -= 0.1 * b.grad
        a.grad = b.grad = None
"""
    _, stops = seen(write(tmp_path, LOOP + script))
    told = [stop.effects for stop in stops if stop.boundary.done == "backward" and stop.effects]
    gradients = {(effect.object, effect.what) for effects in told for effect in effects.named if effect.kind == "grad"}
    assert len(told) == 2
    assert gradients == {("a.grad", "created"), ("b.grad", "created")}
