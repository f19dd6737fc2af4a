"""Launchers: each training process is a rank of one session, with the same bits as without us; nothing else is one.

The scripts train a distributed model on gloo, over loopback; each rank leaves a digest of its weights in a file.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from harness.deadline import deadline
from harness.place import STEPDBG, Place, wait_end
from harness.stepping import leave, words
from hub.room import Screen, hub_that_runs

from stepdbg.protocol.messages import Leave, Steer

BIN = Path(sys.executable).parent
LONG = 120.0
"""Seconds: three processes import torch, on cores that other tests want too."""
LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo", "MASTER_ADDR": "127.0.0.1"}

TRAIN = """
import hashlib, sys
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

def train(folder, updates=3):
    torch.manual_seed(dist.get_rank())
    model = DistributedDataParallel(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for update in range(updates):
        x = torch.randn(16, 4)
        optimizer.zero_grad()
        y = model(x)
        loss = (y - x.sum(1, keepdim=True)).square().mean()
        loss.backward()
        optimizer.step()
    state = [*model.state_dict().values(), *(s for e in optimizer.state.values() for s in e.values()), torch.rand(2)]
    digest = hashlib.sha256(b"".join(one.detach().numpy().tobytes() for one in state)).hexdigest()
    with open(f"{folder}/rank{dist.get_rank()}", "w") as file:
        file.write(f"{loss.item()} {digest}")
    dist.destroy_process_group()
"""
UNDER_TORCHRUN = TRAIN + "dist.init_process_group('gloo')\ntrain(sys.argv[1])\n"
SPAWNS = (
    TRAIN
    + """
def work(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    train(folder)

if __name__ == "__main__":
    import torch.multiprocessing as mp
    mp.spawn(work, (sys.argv[1],), nprocs=2)
"""
)
BY_HAND = (
    TRAIN
    + """
import os
dist.init_process_group(
    "gloo", init_method=f"file://{sys.argv[1]}/store", rank=int(os.environ["RANK"]), world_size=2
)
train(sys.argv[1])
"""
)
SHELL = """
for rank in 0 1; do RANK=$rank WORLD_SIZE=2 "$0" "$1" "$2" & done
wait -n && wait -n
"""
TEXTS = {"torchrun": UNDER_TORCHRUN, "module": UNDER_TORCHRUN, "spawn": SPAWNS, "shell": BY_HAND}
LAUNCHERS = pytest.mark.parametrize("launcher", TEXTS)
RUN = ("--standalone", "--nproc-per-node=2")
PHASES = ["zero_grad", "forward", "loss", "backward", "step"]


def command(launcher: str, folder: Path) -> list[str]:
    """What a user types, with a script of its own in `folder`, where the digests are left."""
    folder.mkdir(exist_ok=True)
    script = folder / "train.py"
    script.write_text(TEXTS[launcher])
    shell = folder / "train.sh"
    shell.write_text(SHELL.replace("$0", sys.executable).replace("$1", str(script)).replace("$2", str(folder)))
    return {
        "torchrun": [str(BIN / "torchrun"), *RUN, str(script), str(folder)],
        "module": [sys.executable, "-m", "torch.distributed.run", *RUN, str(script), str(folder)],
        "spawn": [sys.executable, str(script), str(folder)],
        "shell": ["bash", str(shell)],
    }[launcher]


def digests(folder: Path) -> list[str]:
    return [(folder / f"rank{rank}").read_text() for rank in (0, 1)]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The digests of a run without us: every launcher gives the same."""
    folder = tmp_path_factory.mktemp("bare")
    place = Place()
    done = place.run(*command("torchrun", folder), seconds=LONG, **LOOPBACK)
    place.clean()
    assert done.returncode == 0, done.stderr
    return digests(folder)


@LAUNCHERS
def test_a_free_run_under_a_launcher_changes_no_bit_and_says_nothing(
    place: Place, tmp_path: Path, launcher: str, bare: list[str]
) -> None:
    done = place.run(STEPDBG, "run", "--headless", *command(launcher, tmp_path), seconds=LONG, **LOOPBACK)
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path) == bare
    assert "stepdbg" not in done.stdout + done.stderr
    place.wait_empty()


@LAUNCHERS
async def test_both_ranks_stepped_to_their_ends_change_no_bit(
    tmp_path: Path, launcher: str, bare: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in LOOPBACK.items():
        monkeypatch.setenv(name, value)
    argv = command(launcher, tmp_path)
    async with hub_that_runs(*argv) as folder:
        screen = await Screen.open(folder)
        await screen.until(lambda s: [rank.state for rank in s.session.ranks] == ["paused", "paused"], LONG)
        assert [rank.rank for rank in screen.session.ranks] == [0, 1]
        assert len({rank.pid for rank in screen.session.ranks}) == 2
        last = {0: 0, 1: 0}
        done: dict[int, list[str | None]] = {0: [], 1: []}
        while screen.session.exit_status is None:
            for rank in screen.session.ranks:
                if rank.state == "paused" and rank.stop is not None and rank.stop.boundary.index > last[rank.rank]:
                    last[rank.rank] = rank.stop.boundary.index
                    done[rank.rank].append(rank.stop.boundary.done)
                    screen.connection.send(Steer("next", rank.rank))
            await screen.until(
                lambda s: (
                    s.session.exit_status is not None
                    or any(r.state == "paused" and r.stop.boundary.index > last[r.rank] for r in s.session.ranks)
                ),
                LONG,
            )
        assert screen.session.exit_status == 0, screen.output
        assert done == {rank: [None, *PHASES * 3] for rank in (0, 1)}
        assert screen.notices == []
        screen.connection.send(Leave("stay"))
        await screen.connection.close()
    assert digests(tmp_path) == bare


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=["80x24", "160x50"])
def test_the_screen_shows_who_waits_for_whom_and_r_chooses(
    place: Place, tmp_path: Path, size: tuple[int, int], bare: list[str]
) -> None:
    terminal = place.stepdbg(*command("torchrun", tmp_path), size=size, **LOOPBACK)
    terminal.wait_for("ranks ›0 paused before zero_grad · 1 paused before zero_grad", seconds=LONG)
    for phase in ("forward", "loss", "backward"):
        if phase == "loss":  # a model with batch norm sends its buffers around in forward
            terminal.press("n", "r")
            terminal.wait_for("rank 1 PAUSED before zero_grad")
            terminal.press("n")
            terminal.wait_for("rank 1 PAUSED before forward")
            terminal.press("n", "r")
            terminal.wait_for("rank 0 PAUSED before loss")
        else:
            terminal.press("n")
            terminal.wait_for(f"rank 0 PAUSED before {phase}")
    terminal.press("n")
    terminal.wait_for("rank 0 RUNNING in backward for", "›0 running in backward for", "1 paused before loss")
    assert "rank 0 runs, rank 1 is paused; a collective call" in words(terminal)
    terminal.press("r")
    terminal.wait_for("rank 1 PAUSED before loss")
    terminal.press("n")
    terminal.wait_for("rank 1 PAUSED before backward")
    terminal.press("n")
    terminal.wait_for("ranks 0 paused before step · ›1 paused before step")
    launched = place.target("train.py")
    leave(terminal, "go on")
    assert terminal.wait_exit() == 0
    for pid in launched:  # the hub stays, for whoever attaches and reads how it ended
        wait_end(pid, LONG)
    assert digests(tmp_path) == bare


def test_a_breakpoint_met_in_both_ranks_with_no_screen_is_joined_by_attach(
    place: Place, tmp_path: Path, bare: list[str]
) -> None:
    launched = [STEPDBG, "run", "--headless", "--break", "before step at update 2", *command("torchrun", tmp_path)]
    with subprocess.Popen(
        [str(part) for part in launched], stderr=subprocess.PIPE, text=True, env=place.env(**LOOPBACK)
    ) as running:
        assert running.stderr is not None
        said: list[str] = []
        while len(said) < 2:
            line = running.stderr.readline()
            assert line, "it ended before both ranks stopped"
            if line.startswith("stepdbg"):
                said.append(line)
        assert all("stopped before step (update 2); look at it with `stepdbg attach" in line for line in said)
        terminal = place.stepdbg("attach")
        terminal.wait_for("ranks ›0 paused before step · 1 paused before step", "update 2")
        terminal.press("r")
        terminal.wait_for("rank 1 PAUSED before step")
        terminal.press("8")
        terminal.wait_for("before step at update 2", "met 2 times")
        leave(terminal, "go on")
        assert terminal.wait_exit() == 0
        assert running.wait(deadline(LONG)) == 0
    assert digests(tmp_path) == bare
    place.wait_empty()


def test_stopping_the_session_ends_every_rank_and_the_launcher(place: Place, tmp_path: Path) -> None:
    terminal = place.stepdbg(*command("torchrun", tmp_path), **LOOPBACK)
    terminal.wait_for("1 paused before zero_grad", seconds=LONG)
    leave(terminal, "stop")
    terminal.wait_exit()
    place.wait_empty(LONG)
