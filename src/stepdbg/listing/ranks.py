"""What is said of a training process that a breakpoint names and that there is not."""

from __future__ import annotations

from collections.abc import Collection


def no_rank(rank: int | None, met: Collection[int], world: int) -> str:
    """That there is no such rank, with those that there are; empty where there is, or where it may come yet.

    Args:
        rank: The number that is named; None for any rank.
        met: The numbers of the training processes that have come to their first boundary.
        world: How many there are to be, as these say.
    """
    if rank is None or not met or rank in met or rank < world:
        return ""
    last = max(world - 1, *met)
    those = f"ranks 0 {'and' if last == 1 else 'to'} {last}" if last else "rank 0 alone"
    return f"there is no rank {rank}: this run has {those}"
