"""The foresight and edits in a training process: every step of a run is foretold, and asking changes no bit of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import Debuggee, bare, debuggee, write

from stepdbg.protocol import messages as m

SCRIPT = """
    import hashlib
    import torch
    from torch import nn

    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.2), nn.Linear(5, 3))
    first = torch.optim.AdamW(model[0].parameters(), lr=1e-2, weight_decay=0.1)
    second = torch.optim.SGD(model[2].parameters(), lr=0.1, momentum=0.9, nesterov=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    x, y = torch.randn(12, 6), torch.randint(0, 3, (12,))
    for _ in range(3):
        first.zero_grad()
        second.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(second)
        nn.utils.clip_grad_norm_(model[2].parameters(), 0.05)
        scaler.step(first)
        scaler.step(second)
        scaler.update()
    weights = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    print(hashlib.sha256(weights).hexdigest(), [p._version for p in model.parameters()], torch.rand(1).item())
"""


def test_every_step_of_a_run_with_scaler_and_clipping_is_foretold_and_asking_changes_no_bit(tmp_path: Path) -> None:
    script = write(tmp_path, SCRIPT)
    status, out, err = bare(script)
    assert (status, err) == (0, "")
    kept: set[tuple[str, int]] = set()
    scales: list[float | None] = []
    factors: list[float] = []
    with debuggee(script) as training:
        for stop in training.stops():
            for name in ("model.0.weight", "model.2.bias"):
                found = training.ask(m.Foresee(name, (0, 1) if "weight" in name else (1,)))
                if isinstance(found, m.Refusal):
                    assert "no optimizer yet" in found.problem or "not there" in found.problem, found
                    continue
                assert isinstance(found, m.Foresight)
                if found.kept is not None:
                    assert found.kept.as_foretold, (stop.boundary, found)
                    kept.add((name, found.kept.steps))
                if found.total is not None and stop.boundary.next in ("unscale", "step") and "0" in name:
                    scales.append(found.scale)
                if found.clipping is not None and name == "model.2.bias" and found.total is not None:
                    factors.append(found.clipping.factor)
        assert training.end() == (0, out, "")
    assert kept == {("model.0.weight", n) for n in (1, 2, 3)} | {("model.2.bias", n) for n in (1, 2, 3)}
    assert 256.0 in scales
    assert factors
    assert all(factor is not None and factor < 0.5 for factor in factors)


LOOP = """
    import torch
    import stepdbg

    @stepdbg.loop
    def train():
        model = torch.nn.Linear(3, 2)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.5)
        rate = 1
        for _ in range(2):
            optimizer.zero_grad()
            yield "forward"
            loss = model(torch.ones(4, 3)).sum() * rate
            yield "backward"
            loss.backward()
            yield "step"
            optimizer.step()
            print("rate", rate, optimizer.param_groups[0]["betas"])

    train()
"""


def test_a_variable_and_an_element_of_betas_are_edited_in_a_generator_loop_and_taken_back(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, LOOP)) as training:
        stop = training.stop()
        while stop.boundary.next != "backward":
            stop = training.go()
        place = next(n for n, frame in enumerate(stop.frames) if frame.function == "train")
        for query in (
            m.PreviewEdit("rate", "old * 10", frame=place),
            m.PreviewEdit("optimizer.param_groups[0]['betas']", "0.5", (1,)),
        ):
            preview = training.ask(query)
            assert isinstance(preview, m.EditPreview), preview
            training.ask(m.ApplyEdit(preview.token))
        preview = training.ask(m.PreviewEdit("model.weight", "old + 1", where="[0, :2]"))
        assert preview.saved
        assert training.ask(m.ApplyEdit(preview.token, under=True)).edit.under
        stop = training.go()
        assert stop.boundary.next == "step"
        told = training.ask(m.Foresee("model.weight"))
        assert told.fresh
        assert told.total.norm == pytest.approx(0.5 * 6**0.5, rel=1e-3)
        training.go()
        training.ask(m.UndoEdit())
        training.ask(m.UndoEdit())
        assert training.ask(m.UndoEdit()).edit.undone
        training.go("continue")  # to the end of the script
        training.go("continue")
        status, out, err = training.end()
    assert (status, err) == (0, "")
    assert out.splitlines() == ["rate 10 (0.9, 0.5)", "rate 1 (0.9, 0.999)"]


def test_read_only_nothing_is_edited_and_the_next_step_is_foretold_all_the_same(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, LOOP), readonly=True) as training:
        stop = training.stop()
        while stop.boundary.next != "step":
            stop = training.go()
        assert isinstance(training.ask(m.PreviewEdit("rate", "2", frame=0)), m.Refusal)
        assert isinstance(training.ask(m.UndoEdit()), m.Refusal)
        assert training.ask(m.Foresee("model.bias")).total is not None


TWO = """
    import torch
    from torch import nn
    import stepdbg

    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    first = torch.optim.AdamW(model[0].parameters(), lr=1e-2, weight_decay=0.1{how})
    second = torch.optim.SGD(model[1].parameters(), lr=0.1, momentum=0.9)
    first.register_step_pre_hook(lambda *_: stepdbg.breakpoint() if {hook} else None)
    for _ in range(2):
        loss = model(torch.randn(5, 4)).square().mean()
        first.zero_grad()
        second.zero_grad()
        loss.backward()
        first.step()
        second.step()
"""
OF_FIRST, OF_SECOND = ("model.0.weight", "model.0.bias"), ("model.1.weight", "model.1.bias")


def script_of_two(folder: Path, how: str = "", *, hook: bool = False) -> Path:
    return write(folder, TWO.format(how=how, hook=hook))


def foretold(training: Debuggee, name: str) -> m.Foresight:
    found = training.ask(m.Foresee(name))
    assert isinstance(found, m.Foresight), found
    return found


def test_inside_a_step_what_it_has_moved_is_told_from_what_is_still_to_come_and_comes_true(tmp_path: Path) -> None:
    told = []
    with debuggee(script_of_two(tmp_path)) as training:
        promised: dict[str, float] = {}
        for stop in training.stops("into"):
            if stop.boundary.inside != ("step",):
                promised.clear()
                continue
            assert stop.inner is not None
            running = OF_FIRST if stop.inner.name in OF_FIRST else OF_SECOND
            if (norm := promised.pop(stop.inner.name, None)) is not None:
                assert stop.inner.change == pytest.approx(norm, rel=1e-4)
            for name in OF_FIRST + OF_SECOND:
                found = foretold(training, name)
                assert found.kept is None or name not in running
                told.append((stop.inner.name, name, found.reached))
                if found.reached == "to come":
                    assert found.total is not None
                    promised[name] = found.total.norm
        assert training.end()[0] == 0
    (weight, bias), (other, last) = OF_FIRST, OF_SECOND
    of_one_update = [
        (weight, weight, "moved"), (weight, bias, "to come"), (weight, other, ""), (weight, last, ""),
        (bias, weight, "moved"), (bias, bias, "moved"), (bias, other, ""), (bias, last, ""),
        (other, weight, ""), (other, bias, ""), (other, other, "moved"), (other, last, "to come"),
        (last, weight, ""), (last, bias, ""), (last, other, "moved"), (last, last, "moved"),
    ]  # fmt: skip
    assert told == of_one_update * 2


@pytest.mark.parametrize("how", ["", ", foreach=True"])
def test_between_two_operators_of_a_step_nothing_is_foretold_of_what_is_half_done(how: str, tmp_path: Path) -> None:
    with debuggee(script_of_two(tmp_path, how)) as training:
        reached = set()
        at_work = 0
        for stop in training.stops("operator"):
            if stop.inner is None or stop.boundary.inside != ("step",):
                continue
            before = {name: foretold(training, name) for name in OF_FIRST}
            for name, found in before.items():
                if "at work" in found.why_not:
                    assert stop.inner.within in ("", name)
                    at_work += 1
                else:
                    reached.add((name, found.reached))
        assert training.end()[0] == 0
    assert at_work > 4
    one_by_one = not how
    assert ((OF_FIRST[1], "to come") in reached) is one_by_one
    assert ((OF_FIRST[0], "moved") in reached) is one_by_one


def test_of_two_optimizers_the_step_of_one_breaks_no_promise_about_the_other(tmp_path: Path) -> None:
    with debuggee(script_of_two(tmp_path)) as training:
        asked = False
        for stop in training.stops():
            if stop.boundary.next != "step" and stop.boundary.done != "step":
                continue
            if stop.boundary.next == "step" and stop.boundary.done == "backward":
                foretold(training, OF_SECOND[0])  # its optimizer is not the one that steps next
                asked = True
            elif stop.boundary.done == "step" and stop.boundary.next != "step":
                assert foretold(training, OF_SECOND[0]).kept is None
        assert training.end()[0] == 0
    assert asked


def test_inside_a_step_that_nobody_saw_begin_it_is_said_that_one_cannot_know(tmp_path: Path) -> None:
    with debuggee(script_of_two(tmp_path, hook=True)) as training:
        training.stop()
        stop = training.go("continue")
        assert stop is not None
        assert stop.boundary.inside == ("step",)
        found = foretold(training, OF_FIRST[0])
        assert found.reached == ""
        assert any("may have moved this parameter already" in remark for remark in found.remarks)
        training.go("continue")
        training.go("continue")
        training.go("continue")
        training.end()
