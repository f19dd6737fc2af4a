"""What ranks tell of their replicas, held against each other by the hub."""

from __future__ import annotations

import msgspec

from stepdbg.hub.ranks.replicas import Replicas
from stepdbg.protocol.messages import Finding, ReplicaStepped

RULES = ("duplicate-batch", "rank-divergence")
ALIKE = ReplicaStepped(
    step=1,
    update=1,
    boundary=5,
    names=("net.weight", "net.bias"),
    before=(1, 2),
    gradients=(3, 4),
    after=(5, 6),
    settings="0.1",
    optimizer="opt",
    model="net.module",
    wrapper="net",
    places=(("data", "t.py", 1), ("forward", "t.py", 2), ("backward", "t.py", 3), ("step", "t.py", 4)),
)


def other(**changes: object) -> ReplicaStepped:
    return msgspec.structs.replace(ALIKE, **changes)


def told(*of_ranks: ReplicaStepped, replicas: Replicas | None = None, world: int = 0) -> list[Finding]:
    replicas = replicas or Replicas(RULES)
    return [one for rank, each in enumerate(of_ranks) for one in replicas.note(rank, each, world or len(of_ranks))]


def test_replicas_that_are_the_same_are_right() -> None:
    replicas = Replicas(RULES)
    assert not replicas.right
    assert not told(ALIKE, ALIKE, replicas=replicas)
    assert replicas.right


def test_gradients_that_were_not_averaged_are_named_with_the_forward_that_goes_around_the_wrapper() -> None:
    (one,) = told(other(around=True), other(around=True, gradients=(3, 9), after=(5, 8)))
    assert (one.rule, one.line, one.objects) == ("rank-divergence", 2, ("net.bias",))
    assert "calls net.module itself and not net" in one.cause
    assert "1 of 2 gradients" in one.evidence


def test_a_backward_under_no_sync_is_named() -> None:
    (one,) = told(other(unsynced=True), other(unsynced=True, gradients=(7, 9), after=(7, 8)))
    assert one.line == 3
    assert "no_sync()" in one.cause


def test_parameters_that_the_script_has_written_are_told_before_the_step() -> None:
    places = (*ALIKE.places, ("script", "t.py", 9))
    (one,) = told(other(step=2), other(step=2, before=(1, 7), after=(5, 8), places=places))
    assert one.line == 9
    assert "after step 1, before step 2" in one.message


def test_a_learning_rate_of_another_rank_is_named() -> None:
    (one,) = told(ALIKE, other(after=(5, 8), settings="0.2"))
    assert one.line == 4
    assert "0.1 on rank 0, 0.2 on rank 1" in one.cause


def test_it_is_told_once_and_of_the_first_step() -> None:
    replicas = Replicas(RULES)
    assert told(ALIKE, other(after=(5, 8)), replicas=replicas)
    assert not told(other(step=2), other(step=2, after=(5, 9)), replicas=replicas)
    assert not replicas.right


def test_gradients_that_differ_and_change_nothing_are_no_divergence() -> None:
    assert not told(ALIKE, other(gradients=(7, 8)))


def test_nothing_is_said_until_all_ranks_have_told_nor_of_other_models() -> None:
    assert not told(ALIKE, world=2)
    assert not told(ALIKE, other(after=(5, 8)), world=3)
    assert not told(ALIKE, other(names=("net.weight", "net.scale"), after=(5, 8)))


def test_ranks_that_train_on_the_same_batches_are_told_after_three_steps() -> None:
    replicas = Replicas(RULES)
    found = [told(*[other(step=n, batches=(n, 8))] * 2, replicas=replicas) for n in (1, 2, 3, 4)]
    assert [len(each) for each in found] == [0, 0, 1, 0]
    assert found[2][0].rule == "duplicate-batch"
    assert found[2][0].line == 1
    shares = Replicas(RULES)
    assert not [
        one
        for n in range(1, 6)
        for one in told(other(step=n, batches=(n,)), other(step=n, batches=(n + 9,)), replicas=shares)
    ]


def test_rules_that_were_not_chosen_are_silent() -> None:
    assert not told(ALIKE, other(after=(5, 8)), replicas=Replicas(("stale-gradients",)))
