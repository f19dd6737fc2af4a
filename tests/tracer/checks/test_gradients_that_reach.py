"""The rules of what gradients reach and steps do, on legal programs that look as if they were wrong, and on some that
end before all is said.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee

from stepdbg.protocol.messages import Checked, Finding, Tracing

RULES = (
    "backward-without-graph",
    "gradients-cleared-before-step",
    "no-gradient",
    "no-update",
    "not-in-optimizer",
    "step-without-backward",
    "target-not-detached",
)
BEGIN = """
import copy
import torch
from torch import nn
torch.manual_seed(0)
F = nn.functional
def net(*sizes):
    layers = [nn.Linear(one, two) for one, two in zip(sizes, sizes[1:])]
    return nn.Sequential(*[each for layer in layers for each in (layer, nn.Tanh())][:-1])
def step(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
x, y = torch.randn(16, 4), torch.randn(16, 2)
"""
LEGAL = {
    "an expert to which no sample comes": """
class Mixture(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.experts = nn.Linear(4, 3), nn.ModuleList(nn.Linear(4, 2) for _ in range(3))
    def forward(self, x):
        chances = self.gate(x).softmax(1)
        best = chances.detach()[:, :2].argmax(1)
        out = torch.stack([self.experts[i](one) for i, one in zip(best.tolist(), x)])
        return out * chances.gather(1, best[:, None])
model = Mixture()
optimizer = torch.optim.Adam(model.parameters())
for _ in range(6):
    step(optimizer, F.mse_loss(model(x), y))
""",
    "a codebook that the script averages": """
class Quantizer(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.codes, self.decoder = nn.Linear(4, 3), nn.Embedding(5, 3), nn.Linear(3, 2)
    def forward(self, x):
        z = self.encoder(x)
        near = torch.cdist(z, self.codes.weight).argmin(1)
        code = self.codes(near).detach()
        self.codes.weight.data[near] = 0.9 * self.codes.weight.data[near] + 0.1 * z.data
        return self.decoder(z + (code - z).detach())
model = Quantizer()
optimizer = torch.optim.Adam(model.parameters())
for _ in range(6):
    step(optimizer, F.mse_loss(model(x), y))
""",
    "a part that another loss trains, later": """
body, probe = net(4, 8), nn.Linear(8, 2)
optimizer = torch.optim.Adam([*body.parameters(), *probe.parameters()])
for i in range(8):
    hidden = body(x)
    loss = hidden.square().mean()
    if i > 4:
        loss = loss + F.mse_loss(probe(hidden.detach()), y)
    step(optimizer, loss)
""",
    "both sides of a stop-gradient": """
encoder, predictor = net(4, 8, 3), net(3, 3)
optimizer = torch.optim.SGD([*encoder.parameters(), *predictor.parameters()], lr=0.1)
for _ in range(6):
    one, other = encoder(x + 0.1 * torch.randn_like(x)), encoder(x)
    step(optimizer, -(F.cosine_similarity(predictor(one), other.detach()) + F.cosine_similarity(
        predictor(other), one.detach())).mean())
""",
    "a discriminator that a generator's outputs are detached for": """
generator, critic = net(3, 8, 4), net(4, 8, 1)
opt_g, opt_c = torch.optim.Adam(generator.parameters()), torch.optim.Adam(critic.parameters())
for _ in range(5):
    fake = generator(torch.randn(16, 3))
    step(opt_c, critic(fake.detach()).mean() - critic(x).mean())
    step(opt_g, -critic(fake).mean())
""",
    "features of a network that is not frozen, in evaluation mode": """
judge, generator = net(4, 6, 6).eval(), net(3, 8, 4)
for one in judge.parameters():
    one.requires_grad_(False)
optimizer = torch.optim.Adam(generator.parameters())
for _ in range(5):
    step(optimizer, F.mse_loss(judge(generator(torch.randn(16, 3))), judge(x)))
""",
    "twins that are copied once and both trained": """
one = net(4, 8, 2)
other = copy.deepcopy(one)
optimizer = torch.optim.Adam([*one.parameters(), *other.parameters()])
for _ in range(5):
    step(optimizer, F.mse_loss(one(x), y) + F.mse_loss(other(x.flip(0)), y) + F.mse_loss(one(x), other(x)))
""",
    "layers that are copies of one another": """
layer = net(4, 4)
model = nn.Sequential(*[copy.deepcopy(layer) for _ in range(4)], nn.Linear(4, 2))
optimizer = torch.optim.Adam(model.parameters())
for _ in range(5):
    step(optimizer, F.mse_loss(model(x), y))
""",
    "a target network that is averaged, under no_grad": """
online = net(4, 8, 2)
target = copy.deepcopy(online)
optimizer = torch.optim.Adam(online.parameters())
for _ in range(6):
    with torch.no_grad():
        goal = torch.rand(16) + 0.9 * target(x).max(1).values
    step(optimizer, F.mse_loss(online(x)[:, 0], goal))
    with torch.no_grad():
        for slow, fast in zip(target.parameters(), online.parameters()):
            slow.lerp_(fast, 0.1)
""",
    "a loss that stands for an empty batch": """
model = net(4, 8, 2)
optimizer = torch.optim.Adam(model.parameters())
for i in range(6):
    loss = F.mse_loss(model(x), y) if i % 2 else torch.zeros((), requires_grad=True)
    step(optimizer, loss)
""",
    "a step that is left over at the end of an epoch": """
model = net(4, 8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(3):
    for i in range(4):
        (F.mse_loss(model(x), y) / 2).backward()
        if i % 2:
            optimizer.step()
            optimizer.zero_grad()
    optimizer.step()
    optimizer.zero_grad()
""",
    "gradients that are cleared where they are not finite": """
model = net(4, 8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(6):
    optimizer.zero_grad()
    (F.mse_loss(model(x), y) * (float("inf") if i == 2 else 1)).backward()
    if not all(one.grad.isfinite().all() for one in model.parameters()):
        optimizer.zero_grad()
    optimizer.step()
""",
    "a first backward for an adversarial example": """
model = net(4, 8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(5):
    near = x.clone().requires_grad_()
    F.mse_loss(model(near), y).backward()
    optimizer.zero_grad()
    F.mse_loss(model((near + 0.1 * near.grad.sign()).detach()), y).backward()
    optimizer.step()
""",
    "an optimizer within another": """
class Lookahead(torch.optim.Optimizer):
    def __init__(self, inner):
        self.inner, self.count = inner, 0
        super().__init__([p for group in inner.param_groups for p in group["params"]], {})
        self.slow = [p.detach().clone() for p in self.param_groups[0]["params"]]
    def step(self, closure=None):
        self.inner.step()
        self.count += 1
        if self.count % 3 == 0:
            with torch.no_grad():
                for slow, p in zip(self.slow, self.param_groups[0]["params"]):
                    slow.lerp_(p, 0.5)
                    p.copy_(slow)
model = net(4, 8, 2)
optimizer = Lookahead(torch.optim.Adam(model.parameters()))
for _ in range(7):
    step(optimizer, F.mse_loss(model(x), y))
""",
    "an optimizer that needs no gradients": """
class Search(torch.optim.Optimizer):
    def __init__(self, parameters):
        super().__init__(parameters, {})
    @torch.no_grad()
    def step(self, closure):
        best = closure()
        for p in self.param_groups[0]["params"]:
            move = torch.randn_like(p) * 0.1
            p.add_(move)
            if (loss := closure()) > best:
                p.sub_(move)
            else:
                best = loss
        return best
model = net(4, 8, 2)
optimizer = Search(model.parameters())
for _ in range(7):
    optimizer.step(lambda: F.mse_loss(model(x), y))
""",
    "each sample adapts the first weights anew": """
model = net(4, 8, 2)
first = copy.deepcopy(model.state_dict())
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(8):
    model.load_state_dict(first)
    step(optimizer, model(x[i:i + 1]).softmax(1).square().sum())
    with torch.no_grad():
        model(x[i:i + 1]).argmax(1)
""",
    "a warm-up from 0": """
model = net(4, 8, 2)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: min(1.0, n / 5))
for _ in range(4):
    step(optimizer, F.mse_loss(model(x), y))
    scheduler.step()
""",
}


def found(script: Path, code: int = 0) -> tuple[list[Finding], Checked | None]:
    with debuggee(str(script), go="continue", trace=Tracing(updates=20, rules=RULES)) as training:
        list(training.stops("continue"))
        ended, _, errors = training.end()
    assert ended == code, errors
    return [*{one.key: one for one in training.found if one.severity != "info"}.values()], training.checked


@pytest.mark.parametrize("text", LEGAL.values(), ids=LEGAL)
def test_nothing_is_said_of_a_legal_program(tmp_path: Path, text: str) -> None:
    script = tmp_path / "train.py"
    script.write_text(BEGIN + text)
    findings, checked = found(script)
    assert not findings
    assert checked is not None
    assert not [one for one in checked.unchecked if "failed" in one]


def test_a_loss_without_a_graph_is_told_before_backward_refuses_it(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(f"""{BEGIN}
model = net(4, 8, 2)
optimizer = torch.optim.Adam(model.parameters())
guess = model(x).argmax(1)
loss = F.mse_loss(guess.float(), y[:, 0])
step(optimizer, loss)
""")
    (one,), _ = found(script, code=1)
    assert one.rule == "backward-without-graph"
    assert one.cause.startswith("the graph is cut by argmax() at train.py:")


def test_a_generator_whose_backward_is_missing_has_no_gradient(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(f"""{BEGIN}
generator, critic = net(3, 8, 4), net(4, 8, 1)
opt_g, opt_c = torch.optim.Adam(generator.parameters()), torch.optim.Adam(critic.parameters())
for _ in range(5):
    fake = generator(torch.randn(16, 3))
    step(opt_c, critic(fake.detach()).mean() - critic(x).mean())
    opt_g.step()
""")
    (one,), _ = found(script)
    assert one.rule == "no-gradient"
    assert one.cause == "no backward comes before the step at train.py:21 that leads to the parameters of opt_g"
