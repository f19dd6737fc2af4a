"""The graph behind a tensor: every way to a parameter is shown once, what is saved is told from what was written since,
hooks stay asleep, and looking leaves nothing behind.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import Debuggee, bare, debuggee, write

from stepdbg.protocol import messages as m

SCRIPT = """
    import hashlib, weakref
    import torch
    from torch import nn
    from torch.utils.checkpoint import checkpoint

    ran = []

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x**3
            ctx.save_for_backward(x, y)
            ctx.factor = torch.full((4,), 3.0)
            return y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return ctx.factor * x**2 * g

    def unpack(tensor):
        ran.append(1)
        return tensor

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c, self.d, self.e = (nn.Linear(4, 4) for _ in range(5))
            self.f = nn.Linear(4, 1)
            self.unused = nn.Linear(2, 2)
            self.cold = nn.Parameter(torch.ones(2), requires_grad=False)

        def forward(self, x):
            h = Cube.apply(self.a(x))
            with torch.autograd.graph.saved_tensors_hooks(lambda t: t, unpack):
                h = torch.tanh(self.b(h))
            h = checkpoint(self.c, h, use_reentrant=False)
            h = checkpoint(self.d, h, use_reentrant=True)
            h = h + self.e(h).relu()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                h = self.f(h)
            return h.float()

    def train():
        torch.manual_seed(0)
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        x = torch.randn(5, 4)
        detached = None
        kept, total = [], 0.0
        for update in range(4):
            optimizer.zero_grad()
            y_hat = model(x)
            detached = y_hat.detach()
            loss = y_hat.square().mean()
            if update == 1:
                (slope,) = torch.autograd.grad(loss, [model.f.weight], create_graph=True)
                loss = loss + slope.square().sum()
            loss.backward()
            optimizer.step()
            if update < 2:
                kept.append(loss)
            total = total + loss
        dead = [weakref.ref(t) for t in (loss, y_hat)]
        del loss, y_hat, detached, slope
        print([ref() for ref in dead], len(ran), [p._version for p in model.parameters()], torch.rand(1).item())
        print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

    train()
"""
ASKED = ("", "loss", "y_hat", "x", "detached", "total", "kept[0]", "model.a.weight", "model.cold", "model.unused.bias",
         "model.a.weight.grad", "optimizer.param_groups[0]['lr']", "nothing")  # fmt: skip


def whole(training: Debuggee, name: str = "", opened: tuple[int, ...] = (), rows: int = 200) -> m.Graph | m.Refusal:
    """The graph once it is walked to its end."""
    walked = 0
    while True:
        graph = training.ask(m.ReadGraph(name, 0, rows, opened, walked))
        if isinstance(graph, m.Refusal) or graph.complete:
            return graph
        walked = graph.walked


Told = dict[tuple[int, str], dict[str, m.Graph | m.Refusal]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, str]:
    """What is told of some tensors at every boundary, each branch opened, and what the script printed in the end."""
    found: Told = {}
    with debuggee(write(tmp_path_factory.mktemp("graph"), SCRIPT)) as training:
        for stop in training.stops():
            asked = ASKED if stop.boundary.next in ("backward", "step") else ("",)
            here = {name: whole(training, name) for name in asked}
            first = here[""]
            branches = {row.node for row in first.rows if row.kind == "branch"} if isinstance(first, m.Graph) else ()
            here["opened"] = whole(training, "", tuple(sorted(branches)))
            found.setdefault((stop.boundary.update, str(stop.boundary.next)), here)
        status, out, err = training.end()
    assert status == 0, err
    return found, out


def graph(told: tuple[Told, str], update: int, following: str, name: str = "") -> m.Graph:
    found = told[0][update, following][name]
    assert isinstance(found, m.Graph), found
    return found


def nodes(graph: m.Graph) -> dict[str, m.GraphRow]:
    """The first node of each class."""
    found: dict[str, m.GraphRow] = {}
    for row in graph.rows:
        if row.kind == "node":
            found.setdefault(row.name, row)
    return found


def above(graph: m.Graph, leaf: str) -> m.GraphRow:
    """The node that a leaf hangs from as its first."""
    return graph.rows[[row.object for row in graph.rows].index(leaf) - 1]


def test_every_parameter_that_is_trained_is_at_an_end_of_it(told: tuple[Told, str]) -> None:
    opened = graph(told, 1, "backward", "opened")
    assert (opened.object, opened.grad_fn, opened.shape) == ("loss", "MeanBackward0", ())
    leaves = [row.object for row in opened.rows if row.kind == "leaf"]
    assert sorted(leaves) == sorted(f"model.{layer}.{kind}" for layer in "abcef" for kind in ("weight", "bias"))
    weight = next(row for row in opened.rows if row.object == "model.f.weight")
    assert (weight.through, weight.shapes) == (("TBackward0", "ToCopyBackward0"), ((1, 4),))
    order = [row.node for row in opened.rows if row.kind == "node"]
    assert sorted(order) == list(range(1, len(order) + 1)), "each node is shown once"
    assert next(row for row in opened.rows if row.object == "y_hat").name == "ToCopyBackward0"


def test_what_it_never_reaches_is_listed_and_what_hides_its_part_is_said(told: tuple[Told, str]) -> None:
    at_loss = graph(told, 1, "backward")
    assert at_loss.reached == 10
    hidden = {f"model.{layer}.{kind}" for layer in ("d", "unused") for kind in ("weight", "bias")}
    assert set(at_loss.unreached_names) == hidden
    assert [row.object for row in at_loss.rows if row.kind == "unreached"] == list(at_loss.unreached_names)
    assert "use_reentrant=True hides its part" in at_loss.remarks[0]
    assert "runs its forward again" in nodes(at_loss)["CheckpointFunctionBackward"].note


def test_a_way_round_is_a_branch_that_joins_the_line(told: tuple[Told, str]) -> None:
    closed = graph(told, 1, "backward")
    branch = next(row for row in closed.rows if row.kind == "branch")
    assert (branch.name, branch.nodes, branch.leaves) == ("ReluBackward0", 2, ("model.e.bias", "model.e.weight"))
    assert closed.rows[branch.refers].name == "CheckpointFunctionBackward"
    opened = graph(told, 1, "backward", "opened")
    joins = next(row for row in opened.rows if row.kind == "joins")
    assert joins.depth == 1
    assert opened.rows[joins.refers].node == joins.node
    assert opened.rows[joins.refers].name == "CheckpointFunctionBackward"


def test_what_is_saved_is_told_with_its_version_and_its_name(told: tuple[Told, str]) -> None:
    at_loss = graph(told, 3, "backward", "opened")
    power = nodes(at_loss)["PowBackward0"]
    assert power.saved == (m.SavedForBackward("self", "kept", (5, 1), "float32", 0, 0, "y_hat"),)
    assert [(one.label, one.object) for one in above(at_loss, "model.a.bias").saved] == [("mat1", "x")]
    e = above(at_loss, "model.e.bias")
    mat2 = next(one for one in e.saved if one.label == "mat2")
    assert (mat2.object, mat2.state, mat2.version, mat2.now) == ("model.e.weight", "kept", 3, 3)


def test_what_is_behind_a_hook_is_not_unpacked(told: tuple[Told, str]) -> None:
    opened = graph(told, 1, "backward", "opened")
    assert [one.state for one in nodes(opened)["TanhBackward0"].saved] == ["hooked"]
    assert nodes(opened)["TanhBackward0"].saved[0].note == "behind the hook unpack"
    assert {one.note for one in above(opened, "model.c.bias").saved} == {"recomputed in backward (checkpoint)"}


def test_a_function_of_the_users_own_tells_what_it_saved_and_what_it_only_keeps(told: tuple[Told, str]) -> None:
    cube = nodes(graph(told, 1, "backward"))["CubeBackward"]
    assert [(one.label, one.state) for one in cube.saved] == [
        ("[0]", "kept"), ("[1]", "kept"), ("ctx.factor", "unwatched"),
    ]  # fmt: skip


def test_after_backward_the_saved_tensors_are_freed_and_the_nodes_are_there(told: tuple[Told, str]) -> None:
    before, after = graph(told, 1, "backward"), graph(told, 1, "step")
    assert (before.freed, after.freed) == (False, True)
    assert [row.name for row in before.rows] == [row.name for row in after.rows]
    states = {one.state for row in after.rows for one in row.saved}
    assert states == {"freed", "unwatched"}


def test_a_double_backward_is_behind_its_loss(told: tuple[Told, str]) -> None:
    twice = graph(told, 2, "step")
    assert nodes(twice)["AddBackward0"].object == "loss"
    assert twice.nodes > graph(told, 1, "step").nodes + 10


def test_graphs_of_earlier_updates_are_told_by_what_holds_them(told: tuple[Told, str]) -> None:
    last = graph(told, 4, "step")
    old = {row.object: row.note for row in last.rows if row.kind == "earlier"}
    assert old["kept[0]"].startswith("of update 1, ")
    assert old["kept[1]"].startswith("of update 2, ")
    assert old["total"].startswith("reaches back to update 1, ")
    assert "what it saved is freed" in old["kept[0]"]
    assert last.earlier == len(old) == 4
    assert old["slope"].startswith("of update 2, ")
    kept = graph(told, 4, "step", "kept[0]")
    assert kept.update == (1, 1)
    assert "kept[0]" not in [row.object for row in kept.rows if row.kind == "earlier"], "it is the one that is shown"
    assert not [row for row in graph(told, 1, "step").rows if row.kind == "earlier"]


def test_why_there_is_no_graph_is_said(told: tuple[Told, str]) -> None:
    here = {name: graph(told, 2, "step", name) for name in ("x", "detached", "model.a.weight", "model.cold")}
    assert "nothing computed it, and it needs no gradient" in here["x"].why
    assert "shares the memory of y_hat" in here["detached"].why
    assert "is a leaf" in here["model.a.weight"].why
    assert "frozen" in here["model.cold"].why
    assert {one.object for one in here.values()} == {"loss"}
    leaf = here["model.a.weight"]
    assert leaf.rows[leaf.place].object == "model.a.weight"
    assert here["model.cold"].place == graph(told, 2, "step", "model.unused.bias").place == -1
    assert "without create_graph" in graph(told, 1, "step", "model.a.weight.grad").why
    assert isinstance(told[0][2, "step"]["nothing"], m.Refusal)
    assert isinstance(told[0][2, "step"]["optimizer.param_groups[0]['lr']"], m.Refusal)


def test_unasked_it_is_that_of_what_was_computed_last(told: tuple[Told, str]) -> None:
    assert graph(told, 2, "forward").object == "loss", "there is none yet but the loss of the update before"
    assert graph(told, 2, "forward").update == (1, 1)
    assert graph(told, 2, "loss").object == "y_hat"
    assert graph(told, 2, "loss").update is None


def test_before_the_first_forward_there_is_none(told: tuple[Told, str]) -> None:
    first = graph(told, 1, "forward")
    assert (first.object, first.rows, first.complete) == ("", (), True)


def test_looking_ran_no_hook_moved_no_version_and_kept_nothing_alive(told: tuple[Told, str], tmp_path: Path) -> None:
    status, out, err = bare(write(tmp_path, SCRIPT))
    assert status == 0, err
    assert told[1] == out
    assert out.startswith("[None, None]")


def test_an_edit_in_place_before_backward_shows_and_a_long_chain_is_walked_in_pieces(tmp_path: Path) -> None:
    script = """
        import torch
        w = torch.nn.Parameter(torch.ones(3))
        optimizer = torch.optim.SGD([w], lr=0.1)
        scale = torch.full((3,), 1.5)
        with torch.inference_mode():
            apart = scale + 1
        for update in range(2):
            optimizer.zero_grad()
            t = w * scale
            if update:
                for _ in range(20_000):
                    t = t + 1.0
            loss = t.sum()
            if not update:
                scale.add_(0)
            try:
                loss.backward()
            except RuntimeError as error:
                print("modified by an inplace operation" in str(error))
            optimizer.step()
    """
    with debuggee(write(tmp_path, script)) as training:
        for stop in training.stops():
            if (stop.boundary.update, stop.boundary.next) == (1, "backward"):
                graph = whole(training, "loss")
                assert isinstance(graph, m.Graph)
                changed = next(one for row in graph.rows for one in row.saved)
                assert changed == m.SavedForBackward("other", "changed", (3,), "float32", 0, 1, "scale")
                assert "inference_mode" in training.ask(m.ReadGraph("apart")).why
            if (stop.boundary.update, stop.boundary.next) == (2, "step"):
                answers = [training.ask(m.ReadGraph("loss", 0, 20))]
                while not answers[-1].complete:
                    answers.append(training.ask(m.ReadGraph("loss", 0, 20, (), answers[-1].walked)))
                assert not answers[0].complete, "one answer does not wait for all of it"
                steps = [one.walked for one in answers]
                assert steps == sorted(set(steps)), "each is another question"
                assert (answers[-1].nodes, len(answers[-1].rows)) == (20_003, 20)
                far = training.ask(m.ReadGraph("loss", 19_000, 20))
                assert [row.node for row in far.rows] == list(range(19_001, 19_021))
        assert training.end() == (0, "True\n", "")


@pytest.mark.parametrize(
    ("make", "why"),
    {
        "model(x).argmax(1).float().mean().requires_grad_()": "loss is a leaf: it was made with requires_grad",
        "model(x.detach()).mean().detach()": "loss was computed with nothing recorded",
        "torch.tensor(model(x).mean().item(), requires_grad=True)": "loss is a leaf: it was made with requires_grad",
    }.items(),
)
def test_a_loss_that_is_there_and_has_no_graph_is_told_as_such(make: str, why: str, tmp_path: Path) -> None:
    script = f"""
        import torch
        model = torch.nn.Linear(2, 2)
        opt = torch.optim.SGD(model.parameters(), 0.1)
        x = torch.ones(3, 2)
        for update in range(2):
            opt.zero_grad()
            loss = {make}
            try:
                loss.backward()
            except RuntimeError:
                pass
            opt.step()
    """
    with debuggee(write(tmp_path, script)) as training:
        stop = next(stop for stop in training.stops() if stop.boundary.next == "backward")
        for asked in ("", "model.weight", stop.loss_name):
            graph = training.ask(m.ReadGraph(asked))
            assert (graph.object, graph.loss_why[: len(why)]) == ("", why)


@pytest.mark.parametrize(("holder", "several"), [("list", True), ("nn.ModuleList", False)])
def test_parameters_of_layers_in_a_plain_list_are_counted_among_what_is_reached(
    holder: str, several: bool, tmp_path: Path
) -> None:
    script = f"""
        import torch
        from torch import nn
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = {holder}([nn.Linear(4, 8), nn.Linear(8, 8)])
                self.head = nn.Linear(8, 1)
            def forward(self, x):
                for layer in self.layers:
                    x = torch.relu(layer(x))
                return self.head(x)
        net = Net()
        opt = torch.optim.SGD(net.parameters(), 0.1)
        x = torch.ones(3, 4, requires_grad=True)
        for update in range(2):
            opt.zero_grad()
            loss = net(x).mean()
            loss.backward()
            opt.step()
    """
    with debuggee(write(tmp_path, script)) as training:
        stop = next(stop for stop in training.stops() if stop.boundary.next == "backward")
        graph = whole(training, stop.loss_name)
    assert graph.reached == (2 if several else 6)
    told = "it reaches 4 parameters more that no model in sight registers and no optimizer holds"
    assert graph.remarks == ((told,) if several else ())
    assert {f"net.layers{one}.weight" for one in ("[0]", "[1]") if several} <= {row.object for row in graph.rows}
