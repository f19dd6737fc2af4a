"""`DTensor`: what lies on this rank is looked at and edited, it is said whose part that is, and no rank is asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import distributed
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Partial, Placement, Replicate, Shard
from torch.distributed.tensor.debug import CommDebugMode
from torch.testing._internal.distributed.fake_pg import FakeStore

from stepdbg.protocol import messages as m
from stepdbg.tracer.edit.editor import Editor
from stepdbg.tracer.effects.before_copies import BeforeCopies
from stepdbg.tracer.effects.effects import take
from stepdbg.tracer.foresight.gradient_scaling import GradientScaling
from stepdbg.tracer.handler import AtStop
from stepdbg.tracer.inspect.inspector import Inspector
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.python.interruptions import Interruptions
from stepdbg.tracer.refused import Refused
from stepdbg.tracer.tensors.window import single

W, B = "Module.w", "Module.b"
SHARD = torch.arange(6.0).reshape(2, 3)


@pytest.fixture
def mesh() -> Iterator[DeviceMesh]:
    """Two ranks, of which this process is the first; nobody answers for the second."""
    distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    try:
        yield init_device_mesh("cpu", (2,))
    finally:
        distributed.destroy_process_group()


class Stop:
    """A model of distributed parameters and its optimizer after a step."""

    def __init__(self, mesh: DeviceMesh, *, pending_backward: bool = False) -> None:
        self.model = torch.nn.Module()
        self.model.w = torch.nn.Parameter(DTensor.from_local(SHARD.clone(), mesh, [Shard(0)]))
        self.model.b = torch.nn.Parameter(DTensor.from_local(torch.ones(3), mesh, [Replicate()]))
        self.model.one = torch.nn.Parameter(DTensor.from_local(torch.ones(1), mesh, [Shard(0)]))
        self.model.sum = torch.nn.Parameter(DTensor.from_local(torch.ones(3), mesh, [Partial()]))
        self.optimizer = torch.optim.Adam([self.model.w, self.model.b, self.model.one], lr=0.1, foreach=False)
        for parameter in self.optimizer.param_groups[0]["params"]:
            parameter.grad = torch.ones_like(parameter)
        self.optimizer.step()
        self.registry = Registry()
        self.registry.note_model(self.model)
        self.registry.note_optimizer(self.optimizer)
        self.registry.refresh([])
        self.editor = Editor(self.registry, Interruptions(lambda _: None))
        self.editor.open(AtStop(m.Boundary(1, 1), pending_backward=pending_backward))

    def preview(self, name: str, expression: str, where: str = "") -> m.EditPreview:
        preview = self.editor.answer(m.PreviewEdit(name, expression, None, where))
        assert isinstance(preview, m.EditPreview)
        return preview

    def edit(self, name: str, expression: str, where: str = "", *, under: bool = False) -> m.EditPreview:
        preview = self.preview(name, expression, where)
        self.editor.answer(m.ApplyEdit(preview.token, under))
        self.registry.refresh([])
        return preview


def test_an_edit_of_a_shard_writes_to_the_shard_says_so_and_is_undone(mesh: DeviceMesh) -> None:
    stop = Stop(mesh)
    w = stop.model.w
    shard = w.to_local().detach().clone()
    with CommDebugMode() as asked:
        preview = stop.edit(W, "old * 2 + 1", "[1, :2]")
        assert preview.warning == "It is this rank's shard of 4×3, placed S(0): slices and old are of that shard."
        expected = shard.clone()
        expected[1, :2] = expected[1, :2] * 2 + 1
        assert torch.equal(w.to_local(), expected)
        assert w.placements == (Shard(0),)
        for name in (f"{W}.grad", f"Adam.state[{W}].exp_avg"):
            assert "this rank's shard of 4×3" in stop.edit(name, "0").warning
            entry = stop.registry.alive[name].tensor
            assert isinstance(entry, DTensor)
            assert not entry.to_local().any()
        for _ in range(3):
            stop.editor.answer(m.UndoEdit())
    assert torch.equal(w.to_local(), shard)
    assert torch.equal(w.grad.to_local(), torch.ones(2, 3))
    assert asked.get_total_counts() == 0


def test_that_copies_on_other_ranks_will_differ_is_said(mesh: DeviceMesh) -> None:
    stop = Stop(mesh)
    assert "2 ranks hold a copy of it, and only this rank's is edited: they will differ." in stop.edit(B, "0").warning
    assert not stop.model.b.to_local().any()


def test_autograd_notices_an_edit_of_a_shard_as_of_any_tensor(mesh: DeviceMesh) -> None:
    for under, undone in ((False, False), (True, False), (False, True)):
        stop = Stop(mesh, pending_backward=True)
        w = stop.model.w
        w.grad = None
        loss = (w * w).to_local().sum()
        assert stop.edit(W, "old + 1", under=under).saved
        if undone:
            stop.editor.answer(m.UndoEdit())
        if under or undone:
            loss.backward()
            assert torch.equal(w.grad.to_local(), 2 * w.to_local())
        else:
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                loss.backward()


def test_a_gradient_that_is_none_is_made_with_the_placement_of_its_parameter(mesh: DeviceMesh) -> None:
    stop = Stop(mesh)
    stop.model.w.grad = None
    stop.registry.refresh([])
    stop.edit(f"{W}.grad", "value * 0 + 3")
    grad = stop.model.w.grad
    assert isinstance(grad, DTensor)
    assert grad.placements == (Shard(0),)
    assert torch.equal(grad.to_local(), torch.full((2, 3), 3.0))
    stop.optimizer.step()
    stop.editor.answer(m.UndoEdit())
    assert stop.model.w.grad is None


@pytest.mark.parametrize(
    ("name", "expression", "why"),
    [
        (W, "torch.zeros(4, 3)", r"shape \(4, 3\), \(2, 3\) is needed"),
        ("Module.sum", "0", "each element is a sum over the ranks"),
        ("Module.sum.grad", "0", "each element is a sum over the ranks"),
    ],
)
def test_what_does_not_fit_a_shard_is_refused_in_one_line(
    mesh: DeviceMesh, name: str, expression: str, why: str
) -> None:
    stop = Stop(mesh)
    with pytest.raises(Refused, match=why) as refused:
        stop.preview(name, expression)
    assert "\n" not in str(refused.value)


def test_a_value_that_is_distributed_itself_is_refused_with_its_remedy(mesh: DeviceMesh) -> None:
    stop = Stop(mesh)
    with pytest.raises(Refused, match=r"add \.to_local\(\)"):
        stop.preview(W, "torch.distributed.tensor.zeros(4, 3, device_mesh=torch.distributed.device_mesh."
                        "init_device_mesh('cpu', (2,)))")  # fmt: skip


def test_every_look_is_at_the_shard_says_so_and_asks_no_other_rank(mesh: DeviceMesh) -> None:
    stop = Stop(mesh)
    copies = BeforeCopies()
    inspector = Inspector(stop.registry, copies, GradientScaling(), Interruptions(lambda number: None))
    with CommDebugMode() as asked, torch.no_grad():
        before = take(stop.registry)
        copies.before("step", stop.registry, before)
        for parameter in stop.optimizer.param_groups[0]["params"]:
            parameter.to_local().add_(1)
        copies.after(m.Boundary(2, 1, "step"), before, take(stop.registry))
        inspector.open(AtStop(m.Boundary(2, 1, "step"), snapshot=take(stop.registry)))
        for side in ("now", "before", "change"):
            view = inspector.answer(m.LookAt(W, rows=4, columns=4, bins=5, side=side))
            assert isinstance(view, m.TensorView), view
            assert view.side == side
            assert view.note == "this rank's shard of 4×3, placed S(0)"
            assert view.shape == (2, 3)
            assert view.bytes == 24
            assert view.window is not None
            assert (view.window.rows, view.window.columns) == (2, 3)
            assert view.parts[0].shape == (2, 3)
        queries: tuple[m.Query, ...] = (
            m.ListObjects(), m.Summarise((W, B)), m.LookAtMaps((W, f"{W}.grad"), rows=4, columns=4, tiles=1),
            m.LookBeside(((W, "now"), (f"{W}.grad", "now")), 0, 4, 0), m.Find(W, m.Condition(1.0, 1.0), 0),
            m.ListOptimizers(), m.Foresee(W, (0, 1)), m.Identify(W), m.LookAt("Module.one", rows=1, columns=1),
            m.LookAt("Module.sum", rows=1, columns=1),
        )  # fmt: skip
        for query in queries:
            answer = inspector.answer(query)
            assert not isinstance(answer, m.Refusal), (query, answer)
        foresight = inspector.answer(m.Foresee(W))
        assert isinstance(foresight, m.Foresight)
        assert "of the shard that this rank holds" in foresight.remarks
    assert asked.get_total_counts() == 0


@pytest.mark.parametrize(("placement", "number"), [(Replicate(), 2.0), (Partial(), None), (Shard(0), None)])
def test_a_term_or_a_part_of_a_number_is_not_told_as_the_number(
    mesh: DeviceMesh, placement: Placement, number: float | None
) -> None:
    one = DTensor.from_local(torch.full((1,), 2.0), mesh, [placement], run_check=False, shape=(1,), stride=(1,))
    assert single(one) == number
