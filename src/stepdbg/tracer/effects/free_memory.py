"""How much memory is free for copies, as the control group of this process sees it, or as the device does."""

from __future__ import annotations

from pathlib import Path

import torch

from stepdbg.tracer.tensors import devices

_CGROUPS = Path("/sys/fs/cgroup")


def free_bytes(device: torch.device) -> int:
    """Bytes that could be taken without anything else having to go; 0 where that is not known."""
    if device.type != "cpu":
        return devices.free(device)
    machine = _available(Path("/proc/meminfo"))
    group = min((free for folder in _groups() if (free := _left_in(folder)) is not None), default=None)
    return machine if group is None else min(machine, group)


def _available(meminfo: Path) -> int:
    """What the machine has."""
    try:
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return 0


def _groups() -> list[Path]:
    """The folders of this process's groups and of those around it."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            root = _CGROUPS / controllers if controllers else _CGROUPS
            folder = root / path.lstrip("/")
            found += [folder, *(parent for parent in folder.parents if parent.is_relative_to(root))]
    return found


def _left_in(folder: Path) -> int | None:
    """Below the limit of a group; what its files keep in memory counts as free. None where it has no limit."""
    for limit_file, used_file in (
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            limit = (folder / limit_file).read_text().strip()
            if limit == "max" or int(limit) >= 1 << 60:
                return None
            used = int((folder / used_file).read_text())
            stat = dict(line.split(" ", 1) for line in (folder / "memory.stat").read_text().splitlines())
            reclaimable = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
        except (OSError, ValueError):
            continue
        return max(0, int(limit) - used + reclaimable)
    return None
