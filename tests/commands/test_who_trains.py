"""Which thread of which process trains: a child of any make is a rank, and `--updates` ends what waits for it."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from harness import warm

from commands.scripts import STEPDBG, read, run, write

pytestmark = pytest.mark.usefixtures("runtime_folder")

TRACE = [*STEPDBG, "trace"]


STUDENT = """
import multiprocessing, os, sys, threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
import torch
from torch import nn

def train(updates):
    model = nn.Linear(3, 1)
    batches = torch.utils.data.DataLoader(torch.ones(2 * updates, 3), batch_size=2)
    for x in batches:
        loss = model(x).square().mean()
        loss.backward()
        with torch.no_grad():
            model.weight -= 0.1 * model.weight.grad
        model.weight.grad = None
    return os.getpid()
"""
CHILDREN = (
    STUDENT
    + """
def queued(queue):
    queue.put(train(3))

if __name__ == "__main__":
    pids = []
    for method in ("fork", "forkserver"):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        child = context.Process(target=queued, args=(queue,))
        child.start()
        pids.append(queue.get())
        child.join()
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        pids.append(executor.submit(train, 3).result())
    with context.Pool(1) as pool:
        pids.append(pool.apply(train, (3,)))
        pool.close()
        pool.join()
    if (child := os.fork()) == 0:
        train(3)
        sys.exit(0)
    pids.append(child)
    assert os.waitpid(child, 0)[1] == 0
    print(*pids, os.getpid())
"""
)
BOTH = (
    STUDENT
    + """
if __name__ == "__main__":
    train(2)
    child = os.fork()  # in mid-training: the child has what the parent has, and no connection
    train(2)
    if child:
        assert os.waitpid(child, 0)[1] == 0
    print("trained", flush=True)
"""
)
WAITERS = (
    STUDENT
    + """
def learner(queue):
    train(9)
    queue.put("done")

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=learner, args=(queue,)), context.Process(target=queue.get)]
    for child in children:
        child.start()
    print(children[1].pid, flush=True)
    for child in children:
        child.join()
"""
)


def by_process(lines: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    ordered = sorted(lines, key=lambda line: int(line["pid"]))
    return {pid: list(own) for pid, own in itertools.groupby(ordered, key=lambda line: int(line["pid"]))}


def test_a_child_that_trains_is_a_rank_however_it_was_started(tmp_path: Path, file: Path) -> None:
    status, out, err = run(*TRACE, *warm.option(), "-o", file, write(tmp_path, CHILDREN))
    assert (status, err) == (0, b"")
    *children, parent = map(int, out.split())
    found = by_process(read(file))
    assert set(found) == set(children)
    assert parent not in found
    for pid in children:
        assert [line["done"] for line in found[pid]].count("backward") == 3
        assert {line["update"] for line in found[pid]} == {1, 2, 3}
        assert "data" in [line["done"] for line in found[pid][:2]], "what came before the first sign of training counts"
        assert found[pid][-1]["reason"] == "exit"


def test_a_child_forked_in_mid_training_goes_on_as_a_rank_of_its_own(tmp_path: Path, file: Path) -> None:
    status, out, err = run(*TRACE, *warm.option(), "-o", file, "--effects", write(tmp_path, BOTH))
    assert (status, out, err) == (0, b"trained\n" * 2, b"")
    first, second = sorted(by_process(read(file)).values(), key=len)
    assert {line["rank"] for line in first} == {1}
    assert {line["rank"] for line in second} == {0}
    assert (first[0]["update"], first[-1]["update"]) == (1, 2)
    assert [line["done"] for line in first].count("backward") == 2
    assert second[-1]["reason"] == first[-1]["reason"] == "exit"


def test_updates_ends_what_waits_for_the_one_that_trained(tmp_path: Path, file: Path) -> None:
    status, out, err = run(*TRACE, "-o", file, "--updates", "2", write(tmp_path, WAITERS))
    assert status == 0
    assert err.endswith(b"processes of the target that do not train have not ended 5 s after update 2: terminated\n")
    assert {line["update"] for line in read(file)} == {1, 2}
    assert not Path(f"/proc/{int(out)}").exists() or not os.path.exists(f"/proc/{int(out)}/exe")
