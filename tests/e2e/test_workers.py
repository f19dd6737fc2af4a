"""Processes that a script starts and that are no ranks: a worker says nothing, whatever it calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub.room import Screen, real_hub

from stepdbg.protocol.messages import Leave

LONG = 120.0

STUDENT = """
import os, sys
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

def train(batches):
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for x in batches:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()

def work(number):
    train([torch.full((4, 3), float(number))])
    return number, os.getpid()
"""
TRAINS_IN_GETITEM = (
    STUDENT
    + """
class Features(Dataset):
    def __init__(self):
        self.encoder = nn.Linear(3, 3)
        self.optimizer = torch.optim.SGD(self.encoder.parameters(), lr=0.01)

    def __setstate__(self, state):  # a worker that is spawned does this before it knows that it is one
        self.__dict__.update(state)
        self.encoder(torch.ones(3))

    def __len__(self):
        return 8

    def __getitem__(self, index):
        self.optimizer.zero_grad()
        made = self.encoder(torch.full((3,), float(index)))
        made.sum().backward()
        self.optimizer.step()
        return made.detach()

probe = nn.Linear(3, 3)(torch.ones(3))  # and this, since it imports the script
if __name__ == "__main__":
    train([torch.ones(4, 3)])  # hooked and joined before there are workers, as after
    loader = DataLoader(Features(), batch_size=4, num_workers=2, persistent_workers=True,
                        multiprocessing_context=sys.argv[1])
    for epoch in range(2):
        train(loader)
    print("all done", flush=True)
"""
)
FORKS_IDLE = (
    STUDENT
    + """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

teacher = nn.Linear(3, 1).eval()

def prepare(number):
    with torch.no_grad():
        student(torch.full((2, 3), float(number)))
    list(DataLoader(torch.ones(4, 3)))
    return float(teacher(torch.full((2, 3), float(number))).sum())  # the gradients are never asked for

if __name__ == "__main__":
    student = nn.Linear(3, 1)
    train([torch.ones(4, 3)])
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        assert len(pool.map(prepare, range(4))) == 4
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        assert len(list(executor.map(prepare, range(4)))) == 4
    child = os.fork()
    if child == 0:
        prepare(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    train([torch.ones(4, 3)])
    print("all done", flush=True)
"""
)
SPAWNS_IDLE = """
import multiprocessing, os, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
import torch
from torch import nn

def square(number):
    with torch.no_grad():
        return float(torch.tensor(float(number)) ** 2)

if __name__ == "__main__":
    model = nn.Linear(3, 1)
    model(torch.ones(3)).sum().backward()
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        assert pool.map(square, range(3)) == [0.0, 1.0, 4.0]
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        assert list(executor.map(square, range(3))) == [0.0, 1.0, 4.0]
    subprocess.run([sys.executable, "-c", "import torch; print('a child that does not train', flush=True)"], check=True)
    print("all done", flush=True)
"""
CHILD_TRAINS = (
    STUDENT
    + """
import subprocess
if __name__ == "__main__":
    train([torch.ones(4, 3)] * 2)
    if len(sys.argv) == 1:
        subprocess.run([sys.executable, __file__, "child"], check=True)
        train([torch.ones(4, 3)])
        print("all done", flush=True)
"""
)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [(TRAINS_IN_GETITEM, ["fork"]), (TRAINS_IN_GETITEM, ["spawn"]), (FORKS_IDLE, []), (SPAWNS_IDLE, [])],
    ids=["workers forked", "workers spawned", "forked by any means, and idle", "spawned, and idle"],
)
async def test_a_process_that_does_not_train_on_its_own_is_no_rank_and_leaves_no_word(
    tmp_path: Path, text: str, arguments: list[str]
) -> None:
    script = tmp_path / "train.py"
    script.write_text(text)
    async with real_hub(str(script), *arguments, go="continue") as folder:
        screen = await Screen.open(folder)
        seen: list[set[int]] = []

        def ended(screen: Screen) -> bool:
            seen.append({rank.rank for rank in screen.session.ranks})
            (end,) = [rank.stop is not None and rank.stop.reason == "exit" for rank in screen.session.ranks] or [False]
            return end

        await screen.until(ended, LONG)
        assert set().union(*seen) == {0}
        assert screen.notices == []
        await screen.until(lambda screen: b"all done" in screen.output, LONG)
        assert screen.session.ranks[0].state == "paused"
        screen.connection.send(Leave("go on"))
        await screen.connection.close()


async def test_a_child_that_trains_is_a_rank_of_its_own(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(CHILD_TRAINS)
    async with real_hub(str(script), go="continue") as folder:
        screen = await Screen.open(folder)
        await screen.until(
            lambda s: any(r.rank == 1 and r.stop is not None and r.stop.reason == "exit" for r in s.session.ranks),
            LONG,
        )
        assert [rank.state for rank in screen.session.ranks] == ["running", "paused"]
        assert screen.session.ranks[1].stop.boundary.rank == 1
        screen.connection.send(Leave("go on"))
        await screen.connection.close()
        late = await Screen.open(folder)
        await late.until(lambda s: b"all done" in s.output, LONG)
        assert late.notices == []
