"""Boundaries as real training processes make them: order, updates, epochs, effects, and the same bits as a bare run."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest
from tracer.bare_hub import bare, counts, debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tui.words.sentence import sentence

DEMOS = Path(__file__).parents[2] / "demos"
LOOP = """
    import torch
    from torch import nn
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        x = torch.randn(16, 4)
        optimizer.zero_grad()
        y_hat = model(x)
        loss = y_hat.square().mean()
        loss.backward()
        optimizer.step()
    print(sum(p.double().sum().item() for p in model.parameters()))
"""


def phases(stops: list[m.Stop]) -> list[tuple[str | None, str | None, int]]:
    return [(s.boundary.done, s.boundary.next, s.boundary.update) for s in stops]


@pytest.mark.parametrize("demo", ["mnist.py", "plain.py"])
def test_a_stepped_demo_ends_in_the_bits_and_the_output_of_a_bare_one(demo: str) -> None:
    arguments = (str(DEMOS / demo), "--updates", "3", "--epochs", "2", "--digest")
    with debuggee(*arguments) as training:
        steps = list(training.stops())
        assert training.end() == bare(*arguments)
    assert len(steps) > 18
    assert not training.notices


@pytest.mark.parametrize("demo", ["mnist.py", "plain.py"])
def test_a_looked_at_demo_ends_in_the_bits_of_a_bare_one(demo: str) -> None:
    arguments = (str(DEMOS / demo), "--updates", "2", "--epochs", "1", "--digest")
    with debuggee(*arguments) as training:
        for stop in training.stops():
            objects = training.ask(m.ListObjects())
            names = tuple(row.name for row in objects.rows if row.shape)
            assert len(training.ask(m.Summarise(names)).rows) == len(names)
            for name in names:
                view = training.ask(m.LookAt(name, rows=20, columns=20, bins=16))
                assert isinstance(view, m.TensorView), view
                for part in view.parts:
                    assert isinstance(training.ask(m.LookAt(part.object, rows=5, columns=5)), m.TensorView)
            assert isinstance(training.ask(m.ListOptimizers()), m.Optimizers)
            if stop.reason == "step" and names:
                preview = training.ask(m.PreviewEdit(names[0], "old + torch.randn_like(old)"))
                assert isinstance(preview, m.EditPreview), preview
        assert training.end() == bare(*arguments)


def test_the_generator_demo_walks_through_its_phases_in_order() -> None:
    with debuggee(str(DEMOS / "mnist.py"), "--updates", "3") as training:
        stops = [training.stop(), *(training.go() for _ in range(12))]
    order = ["data", "zero_grad", "forward", "loss", "backward", "step"]
    assert [stop.boundary.next for stop in stops] == [*order, *order, "data"]
    assert [stop.boundary.done for stop in stops] == [None, *order, *order]
    assert [stop.boundary.update for stop in stops] == [1] * 7 + [2] * 6
    assert not any(stop.boundary.predicted for stop in stops)
    assert stops[0].boundary.opens == 1
    assert stops[6].boundary.opens == 2


def test_an_unmodified_loop_makes_the_same_phases() -> None:
    with debuggee(str(DEMOS / "plain.py"), "--updates", "2", "--epochs", "2") as training:
        stops = list(training.stops())
    order = ["data", "zero_grad", "forward", "loss", "backward", "step"]
    done = [stop.boundary.done for stop in stops]
    assert done == [None, *order, *order, "scheduler", "eval", *order, *order, "scheduler", "eval"]
    assert stops[-1].reason == "exit"
    assert [stop.boundary.epoch for stop in stops[1:]] == [1] * 14 + [2] * 14
    assert [s.boundary.update for s in stops if s.boundary.done == "step"] == [1, 2, 3, 4]


EPOCHS = """
    import torch
    from torch.utils.data import DataLoader
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(torch.ones(6, 2), batch_size=1)
    for epoch in range(4):
        batches = iter(loader)
        for _ in range(6):  # the loader is never asked for a batch that it has not
            x = next(batches)
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
"""


def test_the_epoch_told_is_that_of_the_phase_done(tmp_path: Path) -> None:
    script = write(tmp_path, EPOCHS)
    with debuggee(script, go="continue", trace=m.Tracing()) as training:
        list(training.stops("continue"))
    told = [(traced.boundary.update, traced.boundary.epoch) for traced in training.traced if traced.boundary.done]
    assert told == [(update, 1 + (update - 1) // 6) for update in range(1, 25) for _ in range(6)]
    last_of_an_epoch = m.Breakpoint(1, phase="step", when="after", update=18)
    with debuggee(script, go="continue", breakpoints=(last_of_an_epoch,)) as training:
        stop = training.stop()
    assert stop is not None
    assert (stop.boundary.done, stop.boundary.update, stop.boundary.epoch) == ("step", 18, 3)


def test_each_phase_does_what_the_textbook_says() -> None:
    with debuggee(str(DEMOS / "mnist.py"), "--updates", "3") as training:
        stops = [training.stop(), *(training.go() for _ in range(12))]
    by_phase = {(stop.boundary.done, stop.boundary.update): counts(stop) for stop in stops[1:]}
    assert by_phase["data", 1] == {("batch", "created"): 2}
    assert by_phase["zero_grad", 1] == {}
    assert by_phase["forward", 1] == {("buffer", "changed"): 3, ("output", "created"): 1}
    assert by_phase["loss", 1] == {("loss", "created"): 1}
    assert by_phase["backward", 1] == {("grad", "created"): 8}
    assert by_phase["step", 1] == {("parameter", "changed"): 8, ("state", "created"): 24}
    assert by_phase["zero_grad", 2] == {("grad", "freed"): 8}
    assert by_phase["step", 2] == {("parameter", "changed"): 8, ("state", "changed"): 24}


def test_effects_name_objects_as_the_user_would_write_them(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, LOOP)) as training:
        stops = [training.stop(), *(training.go() for _ in range(5))]
    named = {effect.object for stop in stops[1:] if stop.effects for effect in stop.effects.named}
    assert {"model.0.weight", "model.0.weight.grad", "model.1.running_mean", "y_hat", "loss"} <= named
    assert "optimizer.state[model.0.weight].exp_avg" in named


def test_a_fused_optimizer_is_seen_although_it_moves_no_version_counter(tmp_path: Path) -> None:
    script = LOOP.replace("Adam(model.parameters())", "SGD(model.parameters(), lr=0.1, fused=True)")
    with debuggee(write(tmp_path, script)) as training:
        stops = [training.stop(), *(training.go() for _ in range(5))]
    assert stops[-1].boundary.done == "step"
    assert stops[-1].effects is not None
    changed = {effect.object for effect in stops[-1].effects.named if effect.what == "changed"}
    assert {"model.0.weight", "model.1.weight", "model.2.weight"} <= changed


def test_a_gradient_set_to_zero_is_changed_and_not_freed(tmp_path: Path) -> None:
    script = LOOP.replace("zero_grad()", "zero_grad(set_to_none=False)")
    with debuggee(write(tmp_path, script)) as training:
        stops = [training.stop(), *(training.go() for _ in range(6))]
    assert stops[-1].boundary.done == "zero_grad"
    assert counts(stops[-1]) == {("grad", "changed"): 6, ("batch", "created"): 1} or counts(stops[-1]) == {
        ("grad", "changed"): 6
    }


def test_finish_stops_where_each_update_opens_with_the_effects_of_the_step(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, LOOP)) as training:
        training.stop()
        second, third = training.go("finish"), training.go("finish")
    assert (second.boundary.done, second.boundary.opens) == ("step", 2)
    assert counts(second) == {("parameter", "changed"): 6, ("state", "created"): 18}
    assert (third.boundary.done, third.boundary.opens) == ("step", 3)
    assert [record.name for record in third.phases] == ["zero_grad", "forward", "loss", "backward", "step"]
    told = [{(one.kind, one.what) for one in record.effects.counts if one.kind != "rng"} for record in third.phases]
    assert ("grad", "freed") in told[0]
    assert told[1:] == [
        {("buffer", "changed"), ("output", "created")},
        {("loss", "created")},
        {("grad", "created")},
        {("parameter", "changed"), ("state", "changed")},
    ]
    assert all(record.effects.basis == "fingerprint" for record in third.phases)


def test_a_whole_update_finished_at_once_has_the_effects_of_one_that_is_stepped_through(tmp_path: Path) -> None:
    script = write(tmp_path, LOOP)
    with debuggee(script) as training:
        training.stop()
        at_once = training.go("finish")
    with debuggee(script) as training:
        stop = training.stop()
        while stop.boundary.opens != 2:
            stop = training.go()
    effects = [[(record.name, record.effects) for record in one.phases] for one in (at_once, stop)]
    assert effects[0] == effects[1]
    assert counts(at_once) == counts(stop)


TWO_OPTIMIZERS = """
    import torch
    torch.manual_seed(0)
    one, two = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    first = torch.optim.SGD(one.parameters(), lr=0.1)
    second = torch.optim.Adam(two.parameters(), lr=0.1)
    for update in range(4):
        x = torch.randn(8, 2)
        for model, optimizer in ((one, first), (two, second)):
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
"""


def test_what_changed_and_how_much_is_told_of_the_last_step_of_that_optimizer_or_not_at_all(tmp_path: Path) -> None:
    points = (m.Breakpoint(1, phase="zero_grad", when="after", update=3),)
    with debuggee(write(tmp_path, TWO_OPTIMIZERS)) as training:

        def ratios() -> dict[str, bool]:
            names = ("one.weight", "two.weight")
            return {row.object: row.update_ratio is not None for row in training.ask(m.Summarise(names)).rows}

        stop = training.stop()
        while stop.boundary.done != "step":
            stop = training.go()
        assert ratios() == {"one.weight": True, "two.weight": False}, "the other optimizer has not stepped yet"
        owned = training.ask(m.Identify("one.weight"))
        assert (owned.steps, owned.stateful) == (1, False), "plain SGD keeps nothing"
        stop = training.go()
        while stop.boundary.done != "step":
            stop = training.go()
        assert ratios() == {"one.weight": True, "two.weight": True}
        assert training.ask(m.Identify("two.weight")).stateful
        training.send(m.Resume("next"))
        training.stop()
        training.send(m.SetBreakpoints(points))
        stop = training.go("continue")
        assert (stop.boundary.done, stop.boundary.update) == ("zero_grad", 3)
        assert ratios() == {"one.weight": False, "two.weight": False}, "nobody watched the steps of update 2"
        assert stop.made_in["loss"] == stop.made_in["output"] == 2
        training.send(m.SetBreakpoints(()))
        stop = training.go("continue")
        assert (stop.reason, stop.effects.basis, stop.effects.since) == ("exit", "counters", 3)


def test_after_a_free_run_it_is_told_too_what_was_written_without_moving_a_version_counter(tmp_path: Path) -> None:
    script = """
import torch
from torch import nn
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
for i in range(5):
    optimizer.zero_grad()
    loss = model(torch.randn(8, 4)).square().mean()
    loss.backward()
    optimizer.step()
"""
    with debuggee(write(tmp_path, script)) as training:
        for _ in range(6):  # the state of the optimizer is there
            training.stop()
            training.send(m.Resume("next"))
        training.stop()
        end = training.go("continue")
        assert end is not None
    assert (end.reason, end.effects.basis, end.effects.since) == ("exit", "counters", 2)
    changed = {one.object for one in end.effects.named if one.what == "changed"}
    names = {f"model.{name}" for name in ("0.weight", "1.bias", "2.bias", "1.running_mean", "1.running_var")}
    assert names | {"model.1.num_batches_tracked"} <= changed
    assert sum(one.count for one in end.effects.counts if (one.kind, one.what) == ("parameter", "changed")) == 6
    assert sum(one.count for one in end.effects.counts if (one.kind, one.what) == ("state", "changed")) == 18


def test_at_the_end_of_a_script_what_a_function_has_let_go_of_is_not_said_to_be_unchanged(tmp_path: Path) -> None:
    function = "def main():\n" + textwrap.indent(textwrap.dedent(EPOCHS), "    ") + "\nmain()\n"
    with debuggee(write(tmp_path, function)) as training:
        first, end = training.stop(), training.go("continue")
        assert first is not None
        assert end is not None
    assert sentence(end).startswith(
        "step is done. Since the last stop, at update 1: what there was to see then is gone"
    )


def test_a_breakpoint_stops_before_and_after_its_phase_and_at_its_update(tmp_path: Path) -> None:
    points = (
        m.Breakpoint(1, phase="backward"),
        m.Breakpoint(2, phase="backward", when="after", update=2),
        m.Breakpoint(3, update=3),
        m.Breakpoint(4, phase="forward", enabled=False),
    )
    with debuggee(write(tmp_path, LOOP), go="continue", breakpoints=points) as training:
        stops = list(training.stops("continue"))
    where = [(s.boundary.done, s.boundary.next, s.boundary.update, s.reason) for s in stops]
    assert where == [
        ("loss", "backward", 1, "breakpoint"),
        ("loss", "backward", 2, "breakpoint"),
        ("backward", "step", 2, "breakpoint"),
        ("step", "zero_grad", 2, "breakpoint"),
        ("loss", "backward", 3, "breakpoint"),
        ("step", None, 3, "exit"),
    ]
    assert counts(stops[0]) == {("loss", "created"): 1}, "the phase before a breakpoint that is due is fingerprinted"


def test_pause_rings_the_bell_of_a_running_loop(tmp_path: Path) -> None:
    from stepdbg.protocol.page import Page

    script = LOOP.replace("range(3)", "iter(int, 1)")
    with debuggee(write(tmp_path, script)) as training:
        training.stop()
        page = Page(training.folder / training.hello.page)
        training.send(m.Resume("continue"))
        training.send(m.Pause())
        page.ring_bell()
        stop = training.stop()
        assert stop.reason == "pause"
        assert stop.effects is None or stop.effects.basis in ("counters", "fingerprint")
        training.process.kill()


def test_a_signal_shows_where_a_running_loop_is(tmp_path: Path) -> None:
    script = LOOP.replace("optimizer.zero_grad()", "exec('while True: pass')")
    with debuggee(write(tmp_path, script)) as training:
        born = None
        while born is None:
            training._read()
            born = next((line["born"] for line in training.said if "born" in line), None)
        os.kill(training.process.pid, born["stack_signal"])
        assert "most recent call first" in training.process.stderr.readline()


def test_losses_reach_the_page_in_order(tmp_path: Path) -> None:
    from stepdbg.protocol.page import Page

    with debuggee(write(tmp_path, LOOP), go="continue") as training:
        stop = training.stop()
        page = Page(training.folder / training.hello.page)
        assert stop.reason == "exit"
        _, points = page.losses_since(0)
        assert [update for update, _, _ in points] == [1, 2, 3]
        assert points[-1][2] == stop.boundary.loss
        assert page.loss_names() == ("loss",)


def test_a_training_exception_is_a_stop_and_its_traceback_is_a_bare_one(tmp_path: Path) -> None:
    script = LOOP.replace("loss.backward()", "loss.backward(); torch.ones(2) @ torch.ones(3)")
    path = write(tmp_path, script)
    with debuggee(path) as training:
        stops = list(training.stops())
        assert training.end() == bare(path)
    assert stops[-1].reason == "exception"
    assert stops[-1].failure.type == "RuntimeError"
    assert stops[-1].frames[0].file == path
    assert "stepdbg" not in stops[-1].failure.traceback


def test_an_exception_inside_torch_names_the_phase_that_it_left(tmp_path: Path) -> None:
    path = write(tmp_path, LOOP.replace("nn.Linear(8, 1)", "nn.Linear(9, 1)"))
    with debuggee(path) as training:
        stops = list(training.stops())
        status, out, err = training.end()
        assert (status, out, err) == bare(path)
    assert stops[-1].boundary.inside == ("forward",)
    assert stops[-1].boundary.done is None
    assert (stops[-1].boundary.file, stops[-1].boundary.line) == (path, 10), "the user's own line, not torch's"


def test_a_closure_nests_its_phases_inside_step(tmp_path: Path) -> None:
    script = """
        import torch
        w = torch.nn.Linear(2, 1)
        optimizer = torch.optim.LBFGS(w.parameters(), max_iter=2)
        x = torch.ones(3, 2)
        def closure():
            optimizer.zero_grad()
            loss = w(x).square().sum()
            loss.backward()
            return loss
        for _ in range(2):
            optimizer.step(closure)
    """
    with debuggee(write(tmp_path, script)) as training:
        stops = list(training.stops())
    assert stops[0].boundary.next == "step"
    assert stops[1].boundary.inside == ("step",)
    assert stops[1].boundary.next == "zero_grad"
    outer = [stop.boundary for stop in stops if not stop.boundary.inside]
    assert [boundary.done for boundary in outer] == [None, "step", "step"]


def test_phases_and_breakpoints_of_ones_own(tmp_path: Path) -> None:
    script = LOOP.replace(
        "optimizer.step()", "optimizer.step()\n        with stepdbg.phase('ema'):\n            stepdbg.breakpoint()"
    ).replace("import torch\n", "import torch, stepdbg\n", 1)
    with debuggee(write(tmp_path, script), go="continue") as training:
        stops = list(training.stops("continue"))
    assert [stop.boundary.inside for stop in stops] == [("ema",), ("ema",), ("ema",), ()]
    assert stops[0].boundary.done is None
    assert [record.name for record in stops[1].previous][-2:] == ["step", "ema"]


def test_the_hub_s_death_leaves_training_as_a_bare_run() -> None:
    arguments = (str(DEMOS / "plain.py"), "--updates", "3", "--epochs", "1", "--digest")
    for steps in range(4):
        with debuggee(*arguments) as training:
            training.stop()
            for _ in range(steps):
                training.go()
            training.socket.close()
            assert training.end() == bare(*arguments)


def test_a_worker_makes_no_boundary(tmp_path: Path) -> None:
    script = """
        import torch
        from torch.utils.data import DataLoader, Dataset
        class Data(Dataset):
            def __init__(self): self.encoder = torch.nn.Linear(2, 2)
            def __len__(self): return 4
            def __getitem__(self, i): return self.encoder(torch.ones(2)).detach()
        if __name__ == "__main__":
            model = torch.nn.Linear(2, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for x in DataLoader(Data(), batch_size=2, num_workers=1):
                optimizer.zero_grad()
                loss = model(x).sum()
                loss.backward()
                optimizer.step()
    """
    with debuggee(write(tmp_path, script)) as training:
        done = [stop.boundary.done for stop in training.stops()]
    assert done[:7] == [None, "data", "zero_grad", "forward", "loss", "backward", "step"]


def test_the_loss_is_placed_at_the_line_that_computes_it(tmp_path: Path) -> None:
    script = write(tmp_path, LOOP)
    text = Path(script).read_text().splitlines()
    with debuggee(script) as training:
        stops = list(training.stops())
    for stop in stops:
        if stop.boundary.next == "loss":
            assert text[stop.line_next[1] - 1].strip() == "loss = y_hat.square().mean()"
        if stop.boundary.done == "loss":
            assert text[stop.line_done[1] - 1].strip() == "loss = y_hat.square().mean()"
    assert sum(stop.boundary.done == "loss" for stop in stops) == 3
