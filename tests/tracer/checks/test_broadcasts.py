"""Pairings each with each in the graphs of losses: those that nobody means are found, those that are meant are not."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stepdbg.tracer.checks.broadcasts import broadcasts_in, pairs_wrongly
from stepdbg.tracer.checks.loss_graph import LossGraph

N = 6
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def found(loss: torch.Tensor, *outputs: torch.Tensor) -> list[tuple[int, ...]]:
    return [one.result for one in broadcasts_in(LossGraph(loss, "loss"), {output.grad_fn for output in outputs})]


def column() -> torch.Tensor:
    return nn.Linear(3, 1)(torch.randn(N, 3))


WRONG: dict[str, Loss] = {
    "mse_loss": F.mse_loss,
    "l1_loss": F.l1_loss,
    "smooth_l1_loss": F.smooth_l1_loss,
    "huber_loss": F.huber_loss,
    "poisson_nll_loss": F.poisson_nll_loss,
    "kl_div": F.kl_div,
    "a square by hand": lambda p, y: ((p - y) ** 2).mean(),
    "turned round": lambda p, y: (y - p).square().sum() / N,
    "a square by product": lambda p, y: ((p - y) * (p - y)).mean(),
    "a root": lambda p, y: F.mse_loss(p, y).sqrt(),
    "a norm": lambda p, y: torch.norm(p - y),
    "log cosh": lambda p, y: torch.cosh(p - y).log().mean(),
    "a sum along one axis first": lambda p, y: ((p - y) ** 2).sum(1).mean(),
    "a hinge": lambda p, y: torch.clamp(1 - p * y, min=0).mean(),
    "a product": lambda p, y: -(p * y).mean(),
    "weights": lambda p, y: (y * p.square()).mean(),
    "not reduced by mse_loss": lambda p, y: F.mse_loss(p, y, reduction="none").mean(),
    "a term of a sum": lambda p, y: 0.5 * F.mse_loss(p, y) + p.square().mean(),
    "stacked terms": lambda p, y: torch.stack([F.mse_loss(p, y), p.square().mean()]).sum(),
}
MEANT: dict[str, Loss] = {
    "one shape": lambda p, y: F.mse_loss(p.squeeze(1), y),
    "a target of one number": lambda p, y: F.mse_loss(p, torch.tensor(0.5)),
    "a target of one element": lambda p, y: ((p - torch.ones(1)) ** 2).mean(),
    "several targets for one prediction": lambda p, y: F.mse_loss(p, torch.randn(N, 4)),
    "distances of all pairs": lambda p, y: (p.squeeze(1)[:, None] - y[None, :]).square().mean(),
    "distances among themselves": lambda p, y: (p - p.T).abs().mean(),
    "distances among themselves, one flat": lambda p, y: (p - p.squeeze(1)).abs().mean(),
    "viewed as a column": lambda p, y: F.softplus(p.squeeze(1).view(-1, 1) - y).mean(),
    "the nearest of all": lambda p, y: (p - y).square().min(1).values.mean(),
    "a soft maximum": lambda p, y: torch.logsumexp(-(p - y).square(), 1).mean(),
    "attention": lambda p, y: (F.softmax(p * y, dim=1) @ torch.randn(N, 1)).square().mean(),
    "a mean of differences": lambda p, y: (p - y).mean(),
    "a mean of sums": lambda p, y: (p + y).mean() * 2,
    "a layer by hand": lambda p, y: ((p * nn.Parameter(y)) - torch.randn(N, N)).square().mean(),
    "weights of classes": lambda p, y: ((p.expand(N, 4) - 1).square() * torch.arange(4)).mean(),
    "quantiles": lambda p, y: torch.maximum(0.1 * (y[:, None] - p), 0.9 * (p - y[:, None])).mean(),
    "one row": lambda p, y: F.mse_loss(p[:1], y[:1]),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_column_paired_with_a_row_is_found(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = column()
        assert set(found(WRONG[name](predicted, torch.rand(N)), predicted)) == {(N, N)}
        assert found(WRONG[name](predicted.squeeze(1), torch.rand(N, 1)))


@pytest.mark.parametrize("name", MEANT)
def test_what_is_meant_is_not_found(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = column()
        assert not found(MEANT[name](predicted, torch.rand(N)), predicted)


def test_what_a_model_has_shaped_itself_is_its_output() -> None:
    output = column().squeeze(1).view(-1, 1)
    loss = (output - torch.rand(N)).square().mean()
    assert not found(loss)
    assert found(loss, output) == [(N, N)]


def test_images_without_an_axis_of_channels_are_paired_with_all() -> None:
    predicted = nn.Conv2d(1, 1, 1)(torch.randn(2, 1, 4, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found(F.mse_loss(predicted, torch.randn(2, 4, 4)), predicted) == [(2, 2, 4, 4)]


def test_a_batch_of_one_is_no_pairing() -> None:
    assert not pairs_wrongly((1, 1), (1,))
    assert not pairs_wrongly((3, 1), (1, 3, 1))
    assert pairs_wrongly((3, 1), (3,))
    assert pairs_wrongly((3, 1), (1, 3))
