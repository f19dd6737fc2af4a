"""Edits: what is written arrives in training, what cannot be is refused in words, what was done is undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tracer.bare_hub import Debuggee, debuggee, write

from stepdbg.protocol import messages as m

LOOP = """
    import torch
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    x = torch.ones(4, 3)
    for _ in range(3):
        optimizer.zero_grad()
        y_hat = model(x)
        loss = y_hat.sum()
        loss.backward()
        optimizer.step()
"""


@pytest.fixture
def training(tmp_path: Path) -> Iterator[Debuggee]:
    with debuggee(write(tmp_path, LOOP)) as process:
        process.stop()
        yield process


def value(training: Debuggee, name: str) -> list[float]:
    import array

    view = training.ask(m.LookAt(name, rows=10, columns=10))
    assert isinstance(view, m.TensorView), view
    return list(array.array("d", view.window.values))


def edit(training: Debuggee, name: str, expression: str, index: tuple[int, ...] | None = None) -> m.Edit:
    preview = training.ask(m.PreviewEdit(name, expression, index))
    assert isinstance(preview, m.EditPreview), preview
    return training.ask(m.ApplyEdit(preview.token)).edit


def test_an_element_is_changed_alone_and_undone(training: Debuggee) -> None:
    before = value(training, "model.weight")
    done = edit(training, "model.weight", "old + 1", (1, 2))
    assert value(training, "model.weight") == pytest.approx([*before[:5], before[5] + 1])
    assert done.index == (1, 2)
    assert training.ask(m.UndoEdit()).edit.undone
    assert value(training, "model.weight") == before


def test_an_edit_taken_back_later_says_until_when_training_ran_with_it(training: Debuggee) -> None:
    done = edit(training, "model.weight", "old + 1", (1, 2))
    stop = training.go("next")
    undone = training.ask(m.UndoEdit()).edit
    assert (undone.boundary, undone.undone_at) == (done.boundary, stop.boundary.index)
    assert undone.undone_at > undone.boundary


def test_a_preview_changes_nothing(training: Debuggee) -> None:
    before = value(training, "model.weight")
    preview = training.ask(m.PreviewEdit("model.weight", "old * 0"))
    assert "mean 0" in preview.new
    assert value(training, "model.weight") == before


def test_a_learning_rate_edited_before_step_is_the_one_that_step_uses(training: Debuggee) -> None:
    stop = training.go("next")
    while stop.boundary.next != "step":
        stop = training.go("next")
    before = value(training, "model.bias")
    edit(training, "optimizer.param_groups[0]['lr']", "0.25")
    edit(training, "model.bias.grad", "torch.ones_like(old)")
    training.go("next")
    assert value(training, "model.bias") == pytest.approx([number - 0.25 for number in before])


def test_an_edit_between_forward_and_backward_comes_with_a_warning(training: Debuggee) -> None:
    stop = training.go("next")
    while stop.boundary.next != "backward":
        stop = training.go("next")
    assert "backward" in training.ask(m.PreviewEdit("model.weight", "0")).warning


def test_an_edit_is_no_effect_of_the_phase_that_follows(training: Debuggee) -> None:
    edit(training, "model.weight", "old * 2")
    stop = training.go("next")
    assert stop.boundary.done == "zero_grad"
    assert not [count for count in stop.effects.counts if count.kind == "parameter"]


@pytest.mark.parametrize(
    ("name", "expression", "index", "why"),
    [
        ("model.weight", "old +", None, "not an expression"),
        ("model.weight", "nonsense", None, "NameError"),
        ("model.weight", "torch.zeros(5)", None, "shape"),
        ("model.weight", "1j", None, "complex"),
        ("model.weight", "'three'", None, "str"),
        ("model.weight", "1", (7, 0), "outside"),
        ("model.weight", "1", (0,), "2 dimensions"),
        ("model.nothing", "1", None, "not there"),
        ("optimizer.param_groups[0]['lr']", "'high'", None, "a number is needed"),
        ("optimizer.param_groups[0]['nesterov']", "3", None, "True or False"),
    ],
)
def test_what_does_not_fit_is_refused_in_words_and_changes_nothing(
    training: Debuggee, name: str, expression: str, index: tuple[int, ...] | None, why: str
) -> None:
    before = value(training, "model.weight")
    refusal = training.ask(m.PreviewEdit(name, expression, index))
    assert isinstance(refusal, m.Refusal)
    assert why in refusal.problem
    assert value(training, "model.weight") == before


def test_a_token_of_an_earlier_stop_is_refused(training: Debuggee) -> None:
    preview = training.ask(m.PreviewEdit("model.weight", "0"))
    training.go("next")
    assert isinstance(training.ask(m.ApplyEdit(preview.token)), m.Refusal)
