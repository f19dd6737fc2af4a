"""Python of the user's in the frames of a stop: what it sees, what it may write, and that it harms nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.place import DEMOS
from tracer.bare_hub import Debuggee, bare, counts, debuggee, write

from stepdbg.protocol import messages as m

LOOP = """
    import torch

    RATE = 0.5

    class Careful:
        def __repr__(self):
            raise RuntimeError("nobody asked")
        @property
        def dear(self):
            raise RuntimeError("a property ran")

    def train(steps):
        net = torch.nn.Linear(3, 2)
        opt = torch.optim.SGD(net.parameters(), lr=RATE)
        hidden = torch.arange(6.0).reshape(2, 3)
        careful = Careful()
        careful.size = 7
        text = "x" * 100
        extra = 1
        for _ in range(steps):
            x = torch.ones(4, 3)
            opt.zero_grad()
            y_hat = net(x)
            cost = y_hat.sum() * extra
            cost.backward()
            opt.step()

    torch.manual_seed(0)
    hidden = "the module's"
    train(4)
"""


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debuggee]:
    """At the stop before backward."""
    with debuggee(write(tmp_path_factory.mktemp("console"), LOOP)) as process:
        stop = process.stop()
        while stop.boundary.next != "backward":
            stop = process.go()
        assert [frame.function for frame in stop.frames] == ["train", "<module>"]
        yield process


def run(training: Debuggee, source: str, frame: int = 0) -> m.Evaluated:
    result = training.ask(m.Evaluate(frame, source))
    assert isinstance(result, m.Evaluated), result
    return result


def test_the_variables_of_each_frame_are_told_in_a_few_words(training: Debuggee) -> None:
    rows = {row.name: row for row in training.ask(m.ListLocals(0)).rows}
    assert rows["steps"].text == "4"
    hidden = rows["hidden"]
    assert (hidden.shape, hidden.dtype, hidden.device, hidden.min, hidden.max) == ((2, 3), "float32", "cpu", 0.0, 5.0)
    assert rows["cost"].text
    assert rows["cost"].object == "cost"
    assert rows["careful"].text == "Careful(size=7)"
    assert rows["text"].text.endswith("100 characters")
    outer = training.ask(m.ListLocals(1))
    assert {row.name: row.text for row in outer.rows} == {"RATE": "0.5", "hidden": '"the module\'s"'}
    assert outer.left_out == 3  # torch, Careful, train


def test_a_tensor_that_only_a_variable_leads_to_can_be_looked_at_and_edited(training: Debuggee) -> None:
    rows = {row.name: row for row in training.ask(m.ListLocals(0)).rows}
    assert rows["hidden"].object == "hidden"
    view = training.ask(m.LookAt("hidden", rows=2, columns=3))
    assert (view.kind, view.shape, view.statistics.max) == ("variable", (2, 3), 5.0)
    maps = training.ask(m.LookAtMaps(("hidden",), rows=2, columns=3))
    assert isinstance(maps, m.HeatMaps), maps
    token = training.ask(m.PreviewEdit("hidden", "old + 1", (0, 0))).token
    assert training.ask(m.ApplyEdit(token)).edit.new == "1"
    training.ask(m.UndoEdit())
    assert isinstance(training.ask(m.LookAt("nothing")), m.Refusal)


@pytest.mark.parametrize(
    ("source", "frame", "value"),
    [
        ("1 + 1", 0, "2"),
        ("steps", 0, "4"),
        ("hidden", 1, '"the module\'s"'),
        ("model is net, optimizer is opt, loss is cost, batch", 1, None),
        ("model is net, optimizer is opt, loss is cost", 0, "(True, True, True)"),
        ("[steps + n for n in range(2)]", 0, "[4, 5]"),
        ("(lambda: steps + extra)()", 0, "5"),
        ("list(range(1000))[:3]", 0, "[0, 1, 2]"),
        ("net.weight.shape", 0, "torch.Size([2, 3])"),
        ("torch.is_grad_enabled()", 0, "True"),
        ("None", 0, ""),
        ("{'b': 1, 'a': 2}", 0, "{'b': 1, 'a': 2}"),
    ],
)
def test_an_expression_sees_the_frame_and_what_is_at_hand(
    training: Debuggee, source: str, frame: int, value: str | None
) -> None:
    result = run(training, source, frame)
    if value is None:
        assert "NameError" in result.failure
    else:
        assert (result.value, result.failure) == (value, "")


def test_a_block_prints_and_its_last_expression_is_told(training: Debuggee) -> None:
    result = run(training, "import sys\nfor n in range(3):\n    print(n)\nprint('late', file=sys.stderr)\nn * 2")
    assert (result.output, result.value) == ("0\n1\n2\nlate\n", "4")


def test_an_assignment_reaches_the_function_and_the_module(training: Debuggee) -> None:
    assert run(training, "extra = 10").note == ""
    assert run(training, "extra + 1").value == "11"
    assert {row.name: row.text for row in training.ask(m.ListLocals(0)).rows}["extra"] == "10"
    assert run(training, "RATE = 0.25").note == ""
    assert run(training, "RATE", 1).value == "0.25"
    assert "novel is the console's own" in run(training, "novel = 3").note
    assert run(training, "novel", 1).value == "3"
    assert "cannot delete" in run(training, "del extra").note
    run(training, "fresh = 1", 1)
    assert run(training, "fresh").value == "1"


def test_an_exception_is_told_with_the_users_lines_only_and_nothing_crashes(training: Debuggee) -> None:
    failure = run(training, "def f():\n    return 1 / 0\nf()").failure
    assert failure.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "return 1 / 0" in failure
    assert "stepdbg" not in failure
    assert "SystemExit" in run(training, "raise SystemExit(3)").failure
    assert "SyntaxError" in run(training, "1 +").failure
    assert "nobody asked" in run(training, "careful").failure
    assert "EOFError" in run(training, "input('name? ')").failure
    assert "BdbQuit" in run(training, "breakpoint()\n1 + 1").failure
    assert "RecursionError" in run(training, "def g(): g()\ng()").failure


def test_what_is_very_long_is_cut(training: Debuggee) -> None:
    assert len(run(training, "list(range(10_000_000))").value) < 2_000
    result = run(training, "print('x' * 1_000_000)")
    assert len(result.output) < 50_000
    assert "characters more" in result.output


def test_names_are_completed_without_running_a_property(training: Debuggee) -> None:
    def names(text: str) -> tuple[str, ...]:
        found = training.ask(m.Complete(0, text))
        return tuple(text[: found.start] + name for name in found.names)

    assert "hidden" in names("hid")
    assert "print(net.weight" in names("print(net.we")
    assert names("opt.param_groups[0].k") == ("opt.param_groups[0].keys",)
    assert "careful.dear" in names("careful.d")
    assert names("careful.dear.") == ()
    assert "cost.grad.shape" in names("cost.grad.sha")
    assert "model" in names("mod")
    assert names("1.") == ()


def test_what_never_ends_is_interrupted_and_the_session_goes_on(training: Debuggee, tmp_path: Path) -> None:
    run(training, "1")
    number = training.interrupt_signal
    assert number is not None
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    training.send(m.Ask(9_000, m.Evaluate(0, f"open({str(pipe)!r}, 'w').write('in it')\nwhile True: pass")))
    assert pipe.read_text() == "in it"
    os.kill(training.hello.pid, number)
    answer = training.next_message()
    assert answer.result.interrupted
    os.kill(training.hello.pid, number)  # late: nothing is evaluated any more
    assert run(training, "2").value == "2"


def test_a_call_of_the_model_is_no_phase_and_no_effect_of_the_next_one(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, LOOP)) as process:
        stop = process.stop()
        while stop.boundary.next != "backward":
            stop = process.go()
        assert run(process, "y = model(x); y.sum()").failure == ""
        assert run(process, "with torch.no_grad(): net.bias += 1").failure == ""
        assert run(process, "torch.rand(3)").failure == ""
        stop = process.go()
        assert (stop.boundary.done, stop.boundary.next) == ("backward", "step")
        assert counts(stop) == {("grad", "created"): 2}
        assert not [one for one in stop.effects.counts if one.kind == "rng"]


def test_under_readonly_python_is_refused(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, LOOP), readonly=True) as process:
        process.stop()
        assert isinstance(process.ask(m.ListLocals(0)), m.Locals)
        refusal = process.ask(m.Evaluate(0, "1"))
        assert isinstance(refusal, m.Refusal)
        assert "--readonly" in refusal.problem


@pytest.mark.parametrize("demo", ["mnist.py", "plain.py"])
def test_looking_into_frames_and_asking_the_console_at_every_stop_changes_no_bit(demo: str) -> None:
    arguments = [str(DEMOS / demo), *(["--updates", "3", "--digest"]), "--epochs", "1"]
    expected = bare(*arguments)
    assert "digest " in expected[1]
    with debuggee(*arguments) as process:
        stops = 0
        for stop in process.stops():
            stops += 1
            for place in range(len(stop.frames)) or (-1,):
                rows = process.ask(m.ListLocals(place)).rows
                for row in rows:
                    if row.object:
                        assert isinstance(process.ask(m.LookAt(row.object, rows=3, columns=3, bins=8)), m.TensorView)
                assert "model" in process.ask(m.Complete(place, "mod")).names
            for source in ("model.fc1.weight.norm() if hasattr(model, 'fc1') else 0", "loss.item()", "batch", "1 / 0"):
                assert isinstance(process.ask(m.Evaluate(-1 if not stop.frames else 0, source)), m.Evaluated)
        assert stops > 18
        assert process.end() == expected


def test_nothing_of_a_stop_is_kept_alive_by_looking_at_it(tmp_path: Path) -> None:
    script = """
        import gc, weakref
        import torch
        model = torch.nn.Linear(3, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def update():
            x = torch.ones(4, 3)
            unused = torch.zeros(5)
            kept.append(weakref.ref(unused))
            optimizer.zero_grad()
            model(x).sum().backward()
            optimizer.step()

        kept = []
        for _ in range(3):
            update()
            print([ref() is None for ref in kept])
    """
    with debuggee(write(tmp_path, script)) as process:
        for stop in process.stops():
            if stop.frames and stop.frames[0].function == "update":
                process.ask(m.ListLocals(0))
                process.ask(m.LookAt("unused", rows=1, columns=1))
                process.ask(m.Evaluate(0, "unused"))
                process.ask(m.Evaluate(0, "(lambda: unused)()"))
                process.ask(m.Evaluate(0, "unused.shape[7]"))
                process.ask(m.Complete(0, "unused.sh"))
        assert process.end()[1].splitlines() == ["[True]", "[True, True]", "[True, True, True]"]


def test_where_an_exception_has_ended_the_script_its_frames_can_be_asked(tmp_path: Path) -> None:
    script = """
        import torch

        def attend(query):
            scale = torch.full((2,), 7.0)
            return query @ scale

        def train(width):
            model = torch.nn.Linear(3, 2)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(2):
                optimizer.zero_grad()
                attend(model(torch.ones(4, width))).sum().backward()
                optimizer.step()
                width += 1

        train(3)
    """
    with debuggee(write(tmp_path, script), go="continue") as process:
        stop = process.stop()
        assert stop.reason == "exception"
        own = [place for place, frame in enumerate(stop.frames) if not frame.library]
        assert [stop.frames[place].function for place in own] == ["train", "<module>"]
        assert len(own) < len(stop.frames)
        library = process.ask(m.ListLocals(0))
        names = {row.name: row for row in library.rows}
        assert "input" in names
        assert isinstance(process.ask(m.LookAt(names["input"].object)), m.TensorView)
        assert run(process, "width", own[0]).value == "4"
        assert run(process, "input.shape", 0).value == "torch.Size([4, 4])"
