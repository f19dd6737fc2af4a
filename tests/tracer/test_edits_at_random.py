"""Edits and undoes at random: in the end every bit is back, and every version counter; what does not fit is refused."""

from __future__ import annotations

import sys
from collections.abc import Generator
from types import FrameType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdbg.protocol import messages as m
from stepdbg.tracer.edit.editor import Editor
from stepdbg.tracer.handler import AtStop
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.python.interruptions import Interruptions
from stepdbg.tracer.refused import Refused


def loop() -> Generator[str, None, None]:
    """A training loop that waits at a yield, with variables that are none of torch's."""
    rate, names, best = 0.5, ["a"], None
    while True:
        yield f"{rate} {names} {best}"


class Stop:
    """A model, an optimizer and a generator's frame, held at a stop."""

    def __init__(self, *, pending_backward: bool = False) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Module()
        self.model.w = torch.nn.Parameter(torch.randn(3, 4))
        self.model.short = torch.nn.Parameter(torch.randn(5, dtype=torch.bfloat16))
        self.model.register_buffer("count", torch.tensor([1, 2, 3]))
        self.model.register_buffer("mask", torch.tensor([True, False]))
        self.model.register_buffer("turned", torch.randn(4, 2, 3).permute(2, 0, 1))
        self.model.register_buffer("eighth", torch.randn(3, 2).to(torch.float8_e4m3fn))
        self.model.register_buffer("pairs", torch.randn(2, 2, dtype=torch.complex64))
        self.model.register_buffer("halves", torch.randn(2, 1, 1, 3, 1, 1, 2, dtype=torch.float16))
        self.model.register_buffer("single", torch.tensor(2.5, dtype=torch.float64))
        self.model.register_buffer("none", torch.zeros(0, 3))
        self.model.register_buffer("wide", torch.randn(3, 1).expand(3, 4))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.1)
        for parameter in self.model.parameters():
            parameter.grad = torch.ones_like(parameter)
        self.optimizer.step()
        self.model.bare = torch.nn.Parameter(torch.randn(3, 4).t())
        self.optimizer.state[self.model.w]["runs"] = 3
        self.generator = loop()
        next(self.generator)
        self.registry = Registry()
        self.registry.note_model(self.model)
        self.registry.note_optimizer(self.optimizer)
        self.editor = Editor(self.registry, Interruptions(lambda _: None))
        self.open(pending_backward=pending_backward)

    def open(self, *, pending_backward: bool = False) -> None:
        self.registry.refresh([])
        frame: FrameType = self.generator.gi_frame  # type: ignore[attr-defined]
        self.editor.open(AtStop(m.Boundary(1, 1), [frame], pending_backward=pending_backward))

    def edit(self, name: str, expression: str, under: bool = False, **where: Any) -> m.Edit:
        with torch.no_grad():
            preview = self.editor.answer(m.PreviewEdit(name, expression, **where))
            assert isinstance(preview, m.EditPreview)
            done = self.editor.answer(m.ApplyEdit(preview.token, under))
        assert isinstance(done, m.EditDone)
        self.registry.refresh([])
        return done.edit

    def undo(self) -> m.Edit:
        done = self.editor.answer(m.UndoEdit())
        assert isinstance(done, m.EditDone)
        self.registry.refresh([])
        return done.edit

    def everything(self) -> dict[str, Any]:
        """All bits and version counters, all numbers, all variables."""
        found: dict[str, Any] = {"loop": next(self.generator)}
        for name, entry in self.registry.alive.items():
            if entry.tensor is None:
                found[name] = repr(entry.value)
            else:
                bits = entry.tensor.detach().contiguous().reshape(-1).view(torch.uint8).tolist()
                found[name] = (id(entry.tensor), entry.tensor._version, bits)
        return found


W = "Module.w"
PLACES: dict[str, dict[str, Any]] = {
    W: {}, f"{W}.grad": {}, "Module.bare.grad": {}, "Module.short": {},
    **{f"Module.{name}": {} for name in ("eighth", "pairs", "halves", "single", "none", "wide")},
    "Module.count": {}, "Module.mask": {}, "Module.turned": {},
    f"Adam.state[{W}].exp_avg": {}, f"Adam.state[{W}].step": {}, f"Adam.state[{W}].runs": {},
    "Adam.param_groups[0]['lr']": {}, "Adam.param_groups[0]['betas']": {"index": [(0,), (1,), None]},
    "Adam.param_groups[0]['foreach']": {}, "Adam.param_groups[0]['maximize']": {},
    "rate": {"frame": [0]}, "names": {"frame": [0]}, "best": {"frame": [0]},
}  # fmt: skip
EXPRESSIONS = (
    "0.5", "3", "old * 0.5", "old + 1", "torch.zeros_like(old)", "torch.rand_like(old)", "old.flip(0)", "True", "None",
    "value - 1", "(0.5, 0.25)", "not old", "[1, 2]", "old.t()", "'text'", "float('nan')", "1 / 0", "old[", "exit()",
    "1j",
)  # fmt: skip
SLICES = ("", "[0]", "[1, 2]", ":2", "[..., -1]", "::2", "[0, 1:3]", "[7]", "[1:1]", "[0, 0, 0, 0]", "[x]", "[::-1]")


@settings(max_examples=120, deadline=None)
@given(st.data(), st.booleans())
def test_whatever_is_edited_and_undone_every_bit_is_back_in_the_end(data: st.DataObject, pending: bool) -> None:
    stop = Stop(pending_backward=pending)
    before, random = stop.everything(), torch.get_rng_state()
    states = [before]
    for _ in range(data.draw(st.integers(1, 8))):
        if data.draw(st.integers(0, 3)) == 0:
            if len(states) == 1:
                with pytest.raises(Refused, match="no edit to undo"):
                    stop.undo()
            else:
                assert stop.undo().undone
                states.pop()
        else:
            name = data.draw(st.sampled_from(sorted(PLACES)))
            where = {key: data.draw(st.sampled_from(values)) for key, values in PLACES[name].items()}
            if not where:
                where = {"where": data.draw(st.sampled_from(SLICES))}
            try:
                stop.edit(name, data.draw(st.sampled_from(EXPRESSIONS)), data.draw(st.booleans()), **where)
            except Refused as refused:
                assert "\n" not in str(refused) or "Error" in str(refused)
            else:
                states.append(stop.everything())
        assert stop.everything() == states[-1]
    while len(states) > 1:
        stop.undo()
        states.pop()
        assert stop.everything() == states[-1]
    assert torch.equal(torch.get_rng_state(), random)


def test_a_slice_is_edited_alone_and_stands_so_in_the_journal() -> None:
    stop = Stop()
    old = stop.model.w.detach().clone()
    edit = stop.edit(W, "old * 0 + 7", where="[1, ::2]")
    assert edit.where == "[1, ::2]"
    assert edit.index is None
    assert torch.equal(stop.model.w[1, ::2], torch.tensor([7.0, 7.0]))
    assert int((stop.model.w != old).sum()) == 2
    assert stop.edit(W, "0", where="1, -1").index == (1, 3)


def test_written_through_backward_refuses_and_under_autograds_feet_it_goes_on_and_undone_it_is_as_ever() -> None:
    for under, undone in ((False, False), (True, False), (False, True), (True, True)):
        stop = Stop(pending_backward=True)
        w = stop.model.w
        w.grad = None
        loss = (w * w).sum()
        value = w.detach().clone()
        preview = stop.editor.answer(m.PreviewEdit(W, "old + 1"))
        assert preview.saved
        assert "backward will refuse" in preview.warning
        assert "under autograd's feet it goes on" in preview.warning
        stop.edit(W, "old + 1", under)
        if undone:
            stop.undo()
        if under or undone:
            loss.backward()
            assert torch.allclose(w.grad, 2 * (value if undone else value + 1))
        else:
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                loss.backward()


def test_where_training_has_written_since_the_old_value_comes_back_and_autograd_notices() -> None:
    stop = Stop()
    value = stop.model.w.detach().clone()
    stop.edit(W, "0")
    stop.optimizer.step()
    version = stop.model.w._version
    assert stop.undo().undone
    assert torch.equal(stop.model.w, value)
    assert stop.model.w._version > version


def test_an_edit_keeps_nothing_alive_and_lapses_with_what_it_changed() -> None:
    stop = Stop()
    stop.edit(f"{W}.grad", "0")
    stop.optimizer.zero_grad()
    stop.open()
    assert stop.undo().lapsed
    with pytest.raises(Refused, match="no edit to undo"):
        stop.undo()


def test_a_gradient_is_freed_with_none_and_comes_back_itself() -> None:
    stop = Stop()
    grad = stop.model.w.grad
    assert stop.edit(f"{W}.grad", "None").new == "None"
    assert stop.model.w.grad is None
    stop.undo()
    assert stop.model.w.grad is grad


def test_a_gradient_that_is_none_is_made_of_its_parameter_and_is_none_again() -> None:
    stop = Stop()
    turned = stop.model.w.detach().t().clone().t()
    stop.model.w = torch.nn.Parameter(turned)
    stop.open()
    edit = stop.edit(f"{W}.grad", "value * 2 if old is None else 0")
    assert (edit.old, edit.new) == ("None", "3×4, " + edit.new.partition(", ")[2])
    grad = stop.model.w.grad
    assert torch.equal(grad, 2 * turned)
    assert (grad.stride(), grad.requires_grad, grad.grad_fn) == (turned.stride(), False, None)
    assert stop.edit(f"{W}.grad", "old + value", where="[0]").where == "[0]"
    assert torch.equal(grad[0], 3 * turned[0])
    stop.undo()
    stop.undo()
    assert stop.model.w.grad is None
    assert stop.edit(f"{W}.grad", "7").new == "3×4, all 7"
    assert stop.model.w.grad.is_contiguous() is turned.is_contiguous()
    assert stop.model.w.grad.eq(7).all()


def test_a_gradient_is_made_for_a_frozen_parameter_with_a_warning_and_for_none_that_is_computed() -> None:
    stop = Stop()
    stop.model.w.grad = None
    stop.model.w.requires_grad_(False)
    stop.open()
    preview = stop.editor.answer(m.PreviewEdit(f"{W}.grad", "0"))
    assert isinstance(preview, m.EditPreview)
    assert "frozen" in preview.warning
    for expression, where, why in (
        ("None", "", "is None already"), ("torch.zeros(2)", "", r"shape \(2,\), \(3, 4\) is needed"),
        ("0", "[0]", "has no elements"), ("'x'", "", "not a number or a tensor"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=why):
            stop.edit(f"{W}.grad", expression, where=where)
        assert stop.model.w.grad is None
    computed = torch.ones(2, requires_grad=True) * 2
    stop.optimizer.param_groups[0]["params"].append(computed)
    stop.open()
    name = next(name for name, entry in stop.registry.alive.items() if entry.tensor is computed)
    with pytest.raises(Refused, match="computed from others"):
        stop.edit(f"{name}.grad", "0")


def test_a_sparse_gradient_is_freed_and_comes_back_itself() -> None:
    stop = Stop()
    sparse = stop.model.w.grad = torch.eye(3, 4).to_sparse()
    stop.open()
    with pytest.raises(Refused, match="cannot be edited"):
        stop.edit(f"{W}.grad", "0")
    stop.edit(f"{W}.grad", "None")
    assert stop.model.w.grad is None
    stop.undo()
    assert stop.model.w.grad is sparse


def test_a_variable_of_a_suspended_generator_is_bound_anew_until_its_frame_is_gone() -> None:
    stop = Stop()
    edit = stop.edit("rate", "old * 2", frame=0)
    assert (edit.old, edit.new) == ("0.5", "1.0")
    assert next(stop.generator).startswith("1.0 ")
    stop.editor.close()
    stop.editor.open(AtStop(m.Boundary(2, 1)))
    assert stop.undo().lapsed


@pytest.mark.parametrize(
    ("name", "expression", "where", "why"),
    [
        ("Adam.param_groups[0]['betas']", "1", {"index": (2,)}, "no element 2"),
        ("Adam.param_groups[0]['betas']", "'x'", {"index": (1,)}, "a number is needed"),
        ("Adam.param_groups[0]['betas']", "0.9", {}, "a tuple of 2"),
        ("Adam.param_groups[0]['betas']", "(0.9, None)", {}, "a number is needed"),
        ("Adam.param_groups[0]['lr']", "None", {}, "a number is needed"),
        ("Adam.param_groups[0]['foreach']", "3", {}, "True, False or None"),
        ("Adam.param_groups[0]['lr']", "0", {"where": "[0]"}, "no elements"),
        (W, "0", {"where": "[0, x]"}, "no index and no slice"),
        (W, "0", {"where": "[0:"}, "no index and no slice"),
        (W, "0", {"where": "[0, 0, 0]"}, "3 indices are too many"),
        (W, "0", {"where": "[::-1]"}, "no step below 1"),
        (W, "torch.zeros(3, 4).to('meta')", {}, "lies on meta"),
        (W, "exit()", {}, "SystemExit"),
        ("Module.count", "2**40 * 2**40", {}, "too large"),
        ("nothing", "0", {"frame": 0}, "no variable"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(name: str, expression: str, where: dict[str, Any], why: str) -> None:
    stop = Stop()
    before = stop.everything()
    with pytest.raises(Refused, match=why) as refused:
        stop.edit(name, expression, **where)
    assert "\n" not in str(refused.value)
    assert stop.everything() == before


def test_what_torch_would_not_have_accepted_comes_with_a_warning() -> None:
    stop = Stop()
    for name, expression, why in (
        ("lr", "-1", "nothing below 0"), ("betas", "(1.5, 0.9)", "0 ≤ beta < 1"), ("amsgrad", "True", "max_exp_avg_sq"),
    ):  # fmt: skip
        preview = stop.editor.answer(m.PreviewEdit(f"Adam.param_groups[0][{name!r}]", expression))
        assert isinstance(preview, m.EditPreview)
        assert why in preview.warning


def test_a_large_tensor_is_set_to_a_number_without_a_second_one_of_its_size() -> None:
    stop = Stop()
    preview = stop.editor.answer(m.PreviewEdit(W, "0.25"))
    assert isinstance(preview, m.EditPreview)
    assert preview.new == "3×4, all 0.25"
    prepared = stop.editor._prepared[preview.token]
    assert prepared.new.untyped_storage().nbytes() == 4
    assert sys.getsizeof(prepared) < 1000
