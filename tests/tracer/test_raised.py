"""At an exception: in which module it was raised, on which of the user's tensors, and which phase it has left.

Nothing of that is told unless it is certain, and none of the script's code runs for it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness.interpreters import interpreter
from tracer.bare_hub import debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tracer.introspect import mentioned
from stepdbg.tui.words.sentence import sentence

START = """
import torch
from torch import nn
from torch.nn import functional as F
torch.manual_seed(0)

class Block(nn.Module):
    def __init__(self, wide=3, parts=()):
        super().__init__()
        self.fc, self.out, self.parts = nn.Linear(4, wide), nn.Linear(3, 4), parts

    def forward(self, x):
        x = torch.relu(self.fc(x))
        for part in self.parts:
            x = x + part
        return self.out(x)

class Watched:
    "Whoever asks it for anything runs its code."
    asked = []
    def __getattribute__(self, name):
        if name in ("w", "p"):
            print("ASKED", name)
        return object.__getattribute__(self, name)
    @property
    def p(self):
        return torch.ones(3)

def train(model, x, make=lambda out: out.square().mean(), updates=2):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for update in range(updates):
        optimizer.zero_grad()
        out = model(x)
        loss = make(out)
        loss.backward()
        optimizer.step()
"""
RAISED: dict[str, tuple[str, ...]] = {
    "net = nn.Sequential(Block(), Block(5)); data = torch.ones(2, 4); train(net, data)": (
        "RuntimeError in forward of model.1.out (Linear 3→4): mat1 and mat2",
        "; with x 2×5 and self.out.weight 4×3, float32",
    ),
    "net = nn.ModuleDict({'a': nn.Linear(4, 2)}); data = torch.ones(2, 5)\n"
    "opt = torch.optim.SGD(net.parameters(), 0.1)\nwhich = 'a'\nnet[which](data)": (
        "RuntimeError in forward of net.a (Linear 4→2): ",
        "; with data 2×5 and net[which].weight 2×4, float32",
    ),
    "class Nested(Block):\n    def forward(self, x):\n        q, k = x + 1, x + 2\n        return self.out(q + k)\n"
    "train(nn.Sequential(Nested()), torch.ones(2, 4))": (
        "RuntimeError in forward of model.0.out (Linear 3→4): mat1 and mat2",
        "; with its input 2×4 and self.out.weight 4×3, float32$",
    ),
    "from torch.func import functional_call\n"
    "net, lent = nn.Linear(4, 1, bias=False), {'weight': torch.ones(1, 5, requires_grad=True)}\n"
    "x = torch.ones(2, 4); opt = torch.optim.SGD(net.parameters(), 0.1)\nopt.zero_grad()\n"
    "functional_call(net, lent, (x,))": (
        "RuntimeError in forward of net (Linear 4→1): ",
        "; with x 2×4 and lent['weight'] 1×5, float32$",
    ),
    "train(Block(), torch.ones(2, 4, dtype=torch.float64))": (
        " in forward of model.fc (Linear 4→3): ",
        "; with x 2×4 float64 and self.fc.weight 3×4 float32",
    ),
    "train(Block(parts=[torch.ones(3, device='meta')]), torch.ones(2, 4))": (
        " in forward of model: ",
        "; with x 2×3 on cpu and part [3] on meta",
    ),
    "parts = [torch.ones(2, 4)] * 40; parts[30] = torch.ones(3, 5)\n"
    "train(nn.Linear(4, 1), torch.ones(2, 4), lambda out: torch.stack(parts).sum())": (
        "RuntimeError in loss: stack expects",
        "; with parts[0] 2×4 and parts[30] 3×5, float32",
    ),
    "train(nn.Linear(4, 3), torch.ones(8, 4), lambda out: F.cross_entropy(out, torch.ones(8)))": (
        "RuntimeError in loss: expected",
        "; with out 8×3, float32",
    ),
    "loss_of, target = nn.CrossEntropyLoss(), torch.zeros(7).long()\n"
    "train(nn.Linear(4, 3), torch.ones(8, 4), lambda out: loss_of(out, target))": (
        "ValueError in loss, in loss_of: ",
        "; with out 8×3 float32 and target [7] int64",
    ),
    "def finite(out):\n    loss = out.mean() * float('nan')\n"
    "    if not loss.isfinite():\n        raise ValueError('no')\n"
    "train(nn.Linear(4, 1), torch.ones(2, 4), finite)": ("ValueError in loss: no; with loss = nan",),
    "def sane(out):\n    assert out.max() < -9, 'too large'\ntrain(nn.Linear(4, 1), torch.ones(2, 4), sane)": (
        "AssertionError in loss: too large; with out 2×1, float32",
    ),
    "model = nn.Sequential(nn.Linear(4, 3), nn.Tanh()); wide = torch.ones(5)\n"
    "model[0].register_forward_hook(lambda module, args, out: out * wide)\ntrain(model, torch.ones(2, 4))": (
        " in forward of model.0 (Linear 4→3): ",
        "; with out 2×3 and wide [5], float32",
    ),
    "model = nn.Linear(4, 3); wide = torch.ones(5)\n"
    "train(model, torch.ones(2, 4), lambda out: (out.register_hook(lambda grad: grad * wide), out.mean())[1])": (
        " in backward: The size",
        "; with grad 2×3 and wide [5], float32",
    ),
    "class Rows(torch.utils.data.Dataset):\n"
    "    x, y = torch.ones(10, 4), torch.ones(9)\n"
    "    def __len__(self): return 10\n"
    "    def __getitem__(self, i): return self.x[i], self.y[i]\n"
    "optimizer = torch.optim.SGD(nn.Linear(4, 1).parameters(), 0.1)\n"
    "for x, y in torch.utils.data.DataLoader(Rows(), 10): pass": (
        "IndexError in data: ",
        "; with self.y [9] and i = 9",
    ),
    "class Rows(torch.utils.data.Dataset):\n"
    "    def __len__(self): return 10\n"
    "    def __getitem__(self, i): return torch.ones(9)[i]\n"
    "optimizer = torch.optim.SGD(nn.Linear(4, 1).parameters(), 0.1)\n"
    "for x in torch.utils.data.DataLoader(Rows(), 3, num_workers=1):\n    y = x + 1": (
        "IndexError in data: index 9 is out of bounds for dimension 0 with size 9 (in DataLoader worker process 0)$",
    ),
    "odd = Watched(); odd.w = torch.ones(3)\n"
    "train(nn.Linear(4, 1), torch.ones(2, 4), lambda out: out @ odd.w @ odd.p)": ("; with out 2×1, float32",),
}
CAUGHT = """
model, x = nn.Linear(4, 1), torch.ones(2, 4)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for update in range(40):
    if update in TIMES:
        try:
            model(torch.ones(2, 5))
        except RuntimeError as error:
            kept = error
    optimizer.zero_grad()
    loss = model(x).mean()
    loss.backward()
    optimizer.step()
    if update == 30:
        END
"""
ENDS = {
    "raise ValueError('mine')": ("ValueError after step: mine", ()),
    "raise kept": ("RuntimeError in forward of model (Linear 4→1): mat1", ("forward",)),
    "raise ValueError('mine') from kept": ("ValueError in forward: mine", ("forward",)),
}


def last_of(tmp_path: Path, program: str, go: m.Go | None = "continue") -> tuple[m.Stop, str]:
    with debuggee(write(tmp_path, START + program), go=go) as training:
        last = list(training.stops(go or "next"))[-1]
        out = training.end()[1]
    assert last.reason == "exception"
    assert training.notices == []
    return last, out


@pytest.mark.parametrize("program", RAISED, ids=lambda program: program[-40:])
def test_an_exception_s_stop_names_the_module_and_the_tensors_of_the_line(program: str, tmp_path: Path) -> None:
    last, out = last_of(tmp_path, program)
    said = sentence(last)
    assert all(part in f"{said}$" for part in RAISED[program]), said
    assert "ASKED" not in out.replace("ASKED w\n", "", 1)


def test_it_is_told_while_one_steps_as_well(tmp_path: Path) -> None:
    last, _ = last_of(tmp_path, "train(nn.Sequential(Block(), Block(5)), torch.ones(2, 4))", go=None)
    assert sentence(last).endswith("float32; until then forward had changed nothing")
    assert last.failure is not None
    assert last.failure.module == "model.1.out"


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("times", ["(20,)", "(30,)"])
def test_an_exception_is_placed_by_its_own_traceback_not_by_one_that_was_caught(
    end: str, times: str, tmp_path: Path
) -> None:
    last, _ = last_of(tmp_path, CAUGHT.replace("TIMES", times).replace("END", end))
    words, inside = ENDS[end]
    assert sentence(last).startswith(words)
    assert last.boundary.inside == inside


def test_what_cannot_be_read_costs_the_stop_nothing(tmp_path: Path) -> None:
    broken = (
        "class Odd(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, *_, **__): raise TypeError('no')\n"
    )
    last, _ = last_of(tmp_path, f"{broken}odd = torch.ones(3).as_subclass(Odd)\ntrain(nn.Linear(3, 1), odd)")
    assert "TypeError in forward of model (Linear 3→1): no" in sentence(last)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_what_a_line_names_is_read_from_the_bytecode(version: str) -> None:
    python = sys.executable if sys.version_info[:2] == tuple(map(int, version.split("."))) else interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    program = """
class Any:
    def __call__(self, *_, **__): raise KeyError
    def __bool__(self): return True
def one(self, x, i, batch):
    before = self.layers[0]
    return self.fc(x[i], batch["x"], k=batch[i].y)
def two(t):
    if t.isnan():
        raise ValueError("nan")
def three(t, u):
    assert t.w == u, "no"
def four(a, b):
    return (a +
            b.c)
class It:
    fc, layers, y, w, c = Any(), [0], 5, 3, "c"
    def isnan(self): return self
def five(rows, x):
    for x in rows:
        y = x
def six(lock, x):
    with lock:
        y = x
def rows():
    yield 1
    raise KeyError
it = It()
calls = {one: (it, [1, 2, 3], 2, {"x": 1, 2: it}), two: (it,), three: (it, 2), four: (1, it)}
calls |= {five: (rows(), 2), six: (1, 2)}
for function, values in calls.items():
    try:
        function(*values)
    except Exception as error:
        where = error.__traceback__.tb_next
        print(mentioned(where.tb_frame.f_code, where.tb_lasti))
"""
    text = Path(mentioned.__file__).read_text() + program
    found = subprocess.run([python, "-c", text], capture_output=True, text=True, check=True).stdout.splitlines()
    kinds: dict[str, Any] = {"Mention": mentioned.Mention, "Index": mentioned.Index}
    told = [
        ["".join(written(step) for step in (one.variable, *one.steps)) for one in eval(line, kinds)] for line in found
    ]
    assert told == [
        ["self.fc", "x[i]", "i", "batch['x']", "batch[i].y"],
        ["ValueError", "t.isnan"],
        ["t.w", "u"],
        ["a", "b.c"],
        [],
        told[5],
    ]
    assert told[5] in ([], ["lock"]), "not what the body of the statement names"


def written(step: Any) -> str:
    if isinstance(step, str):
        return step if step in ("self", "x", "i", "batch", "ValueError", "t", "u", "a", "b", "lock") else f".{step}"
    return f"[{step.variable or repr(step.constant)}]"
