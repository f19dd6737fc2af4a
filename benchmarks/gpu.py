"""What only a GPU can tell, in eight minutes at most, as one table: bits, waits, memory, speed, and what differed.

Programs of `gpu_scripts` run bare, freely under stepdbg and stepped, and must end in the same bits; what a stop asks of
the device is held against the CPU's answers and against the budgets that `tests/tracer/test_on_a_device.py` holds on a
stand-in. Exit status: 0 all well, 1 something differed, 2 there is no GPU, so that nothing could be run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

BEGAN = time.monotonic()
SECONDS = float(os.environ.get("SECONDS_AT_MOST", "460"))
MB = 1 << 20


def left() -> float:
    """Seconds that may still be used."""
    return SECONDS - (time.monotonic() - BEGAN)


class Table:
    """Rows as they come; a row that is not well makes the exit status 1."""

    def __init__(self) -> None:
        self.bad = 0

    def row(self, what: str, found: str, *, well: bool = True) -> None:
        """One line."""
        self.bad += not well
        print(f"{'ok ' if well else 'BAD'}  {what:<62}  {found}", flush=True)


@contextmanager
def host_waits() -> Iterator[list[Any]]:
    """The times that the host waits for the device within."""
    with warnings.catch_warnings(record=True) as met:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield met
        finally:
            torch.cuda.set_sync_debug_mode("default")


def functions(table: Table) -> None:
    """What a stop asks: as the CPU answers, within its budgets, and how fast."""
    from stepdbg.tracer.effects import differences, fingerprints
    from stepdbg.tracer.tensors import batched_norms as many_norms
    from stepdbg.tracer.tensors import statistics

    def asked(what: str, ask: Callable[[], Any], waits: int, megabytes: float, moved: int = 0) -> Any:
        ask()
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        with host_waits() as met:
            found = ask()
        peak = (torch.cuda.max_memory_allocated() - before) / 1e6
        begun = time.perf_counter()
        ask()
        torch.cuda.synchronize()
        took = time.perf_counter() - begun
        speed = f", {moved / took / 1e9:.0f} GB/s" if moved else ""
        well = len(met) <= waits and peak <= megabytes
        told = f"{len(met)} waits of {waits}, {peak:.1f} MB of {megabytes}, {took * 1e3:.2f} ms{speed}"
        table.row(what, told, well=well)
        return found

    torch.manual_seed(0)
    large = torch.randn(64 * MB)
    there = large.cuda()
    size = large.nbytes
    first = asked("fingerprint of 256 MB", lambda: fingerprints.fingerprint(there), 1, 70, size)
    held = there[-1].item()
    there[-1] = held + 1
    table.row("fingerprint sees the last element", "", well=fingerprints.fingerprint(there) != first)
    there[-1] = held
    table.row("fingerprint is the same again", "", well=fingerprints.fingerprint(there) == first)
    many = [torch.randn(100).cuda() for _ in range(1000)]
    prints = asked("fingerprints of 1000 small tensors", lambda: fingerprints.fingerprints(many), 1, 2)
    here = fingerprints.fingerprints([one.cpu() for one in many])
    table.row("fingerprints of small tensors are the CPU's", "", well=prints == here)
    norms = asked("norms of 1000 small tensors", lambda: many_norms.norms_of(many), 1, 2)
    sizes = many_norms.norms_of([one.cpu() for one in many])
    close = all(abs(a - b) < 1e-5 * b for a, b in zip(norms, sizes, strict=True))
    table.row("norms are the CPU's", "", well=close)
    asked("norm of 256 MB", lambda: statistics.norm(there), 1, 1, size)
    asked("norm of bfloat16", lambda: statistics.norm(there[: 16 * MB].bfloat16()), 1, 70)
    for what, tensor in {
        "float32": large, "bfloat16": large[: 16 * MB].bfloat16(), "far from zero": large[: 16 * MB] + 1000,
        "one NaN": large[: 16 * MB].index_fill(0, torch.tensor([5]), float("nan")),
        "int64": torch.randint(-9, 9, (16 * MB,)), "transposed": large[: 16 * MB].view(4096, -1).t(),
    }.items():  # fmt: skip
        copy = tensor.cuda()
        found = asked(f"statistics, {what}", lambda copy=copy: statistics.statistics(copy), 24, 170, tensor.nbytes)
        wanted = statistics.statistics(tensor)
        assert found is not None
        assert wanted is not None
        names = ("min", "max", "mean", "std", "norm", "zeros", "nan", "inf")
        pairs = [(getattr(found, name), getattr(wanted, name)) for name in names]
        same = all(a == b or (a is not None and abs(a - b) <= 1e-5 * max(1, abs(b))) for a, b in pairs)
        table.row(f"statistics, {what}: the CPU's", "" if same else f"{found} {wanted}", well=same)
    other = there + 1
    asked("difference of 256 MB", partial(differences.moved, there, other), 40, 80, 2 * size)
    del other
    for spare in (512, 128, 32, 4):
        torch.cuda.empty_cache()
        room = torch.cuda.mem_get_info()[0] - (spare << 20)
        taken = torch.empty(max(0, room), dtype=torch.uint8, device="cuda")
        try:
            known = fingerprints.fingerprint(there), statistics.statistics(there)
            told = f"fingerprint {known[0] == first}, statistics {known[1] is not None}"
            table.row(f"{spare} MB left on the device", told)
        except Exception as error:
            table.row(f"{spare} MB left on the device", f"{type(error).__name__}: {error}", well=False)
        del taken


def scripts(table: Table) -> None:
    """The same bits, output and exit status bare, freely and stepped."""
    from tracer.bare_hub import bare, debuggee

    from gpu_scripts import ALONE, SCRIPTS

    folder = Path(tempfile.mkdtemp())
    for name in sorted(SCRIPTS, key=lambda name: name in ALONE):
        if left() < 45:
            table.row(name, "not run: no time was left", well=False)
            continue
        script = folder / "script.py"
        script.write_text(SCRIPTS[name])
        wanted = bare(str(script), cold=True)
        for way in ("continue", "next"):
            if left() < 20:
                break
            try:
                with debuggee(str(script), go=way, cold=True) as training:
                    stops = [(stop.reason, stop.failure) for stop in training.stops(way)]
                    found = training.end()
                lost = [text[:160] for text in training.notices if "let go" in text or "cannot be read at" in text]
                same = found[:2] == wanted[:2] and found[2].splitlines()[-1:] == wanted[2].splitlines()[-1:]
                told = f"{way}: {len(stops)} stops, exit {found[0]}, ends by {stops[-1][0] if stops else 'nothing'}"
                table.row(name, told + "".join(f"; {text}" for text in lost), well=same and not lost)
            except Exception as error:
                table.row(name, f"{way}: {type(error).__name__}: {str(error)[:120]}", well=False)


def conditions(table: Table, program: str | None = None) -> None:
    """Conditions of breakpoints that are read late make the host wait no more than it does bare; read at once, they do.

    Args:
        table: Gets the rows.
        program: What trains and counts, where it is not on a GPU.
    """
    import msgspec
    from tracer.bare_hub import bare, debuggee

    from gpu_scripts import CONDITIONS, waiting
    from stepdbg.protocol.breakpoint_text import parse

    script = Path(tempfile.mkdtemp()) / "script.py"
    script.write_text(program or waiting())
    cold = program is None  # CUDA survives no fork
    points = tuple(msgspec.structs.replace(parse(text), number=number) for number, text in enumerate(CONDITIONS, 1))
    bare_waits, *wanted = bare(str(script), cold=cold)[1].splitlines()
    for late, way in ((True, "read late"), (False, "read at once")):
        what = f"{len(CONDITIONS)} conditions in 20 updates, {way}"
        with debuggee(str(script), go="continue", cold=cold, breakpoints=points, async_conditions=late) as training:
            reasons = [stop.reason for stop in training.stops("continue")]
            status, output, errors = training.end()
        waits, *found = output.splitlines() or [""]
        more = int(waits.split()[0]) - int(bare_waits.split()[0]) if waits else -1
        same = (status, found, reasons) == (0, wanted, ["exit"])
        told = f"{more} waits more than bare{'' if same else f'; not as bare: {errors[-200:]} {reasons}'}"
        table.row(what, told, well=same and (more == 0 if late else more >= 20))


def pytest_cuda(table: Table) -> None:
    """The tests that are marked `cuda`."""
    asked = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider", "tests/tracer"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=max(10, min(120, left())), check=False)
        told = (done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["nothing"])[-1]
        table.row("tests marked cuda", told, well=done.returncode == 0)
    except subprocess.TimeoutExpired:
        table.row("tests marked cuda", "no time was left", well=False)


def main() -> int:
    """Everything, the quickest first."""
    if not torch.cuda.is_available():
        print("no GPU that torch can use is here: nothing was run, and nothing is known of it", file=sys.stderr)
        return 2
    table = Table()
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}, Python {sys.version.split()[0]}")
    for part in (functions, conditions, pytest_cuda, scripts):
        try:
            part(table)
        except Exception as error:
            table.row(part.__name__, f"{type(error).__name__}: {str(error)[:200]}", well=False)
    print(f"{table.bad} rows differ; {time.monotonic() - BEGAN:.0f} s")
    return int(table.bad > 0)


if __name__ == "__main__":
    sys.exit(main())
