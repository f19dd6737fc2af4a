"""The loop that the fake debuggee runs, as a user would write it; what the Source panel shows of it is this file."""

from __future__ import annotations

from collections.abc import Generator

from stepdbg.testing.network import Adam, Decay, Loader, Network


def train(model: Network, optimizer: Adam, scheduler: Decay, loader: Loader) -> Generator[str, None, None]:
    """Train for ever; yields the name of the phase that comes next."""
    epoch = 0
    while True:
        epoch += 1
        batches = iter(loader)
        for _ in range(len(loader)):
            yield "data"
            x, y = next(batches)
            yield "zero_grad"
            optimizer.zero_grad()
            yield "forward"
            logits = model(x)
            yield "loss"
            loss = model.cross_entropy(logits, y)
            yield "backward"
            loss.backward()
            yield "step"
            optimizer.step()
        yield "scheduler"
        scheduler.step()
        yield "eval"
        accuracy = model.accuracy(x, y)
        del accuracy
