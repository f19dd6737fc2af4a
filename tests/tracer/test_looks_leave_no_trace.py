"""Maps, pictures and files at every stop: the run ends in the bits of the bare one, and the files hold what it had."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors.torch import load_file
from tracer.bare_hub import bare, debuggee, write

from stepdbg.protocol import messages as m

SCRIPT = """
    import hashlib, random
    import torch
    from torch import nn

    random.seed(3)
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(4 * 8 * 8, 5))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    images = torch.randn(12, 1, 10, 10)
    labels = torch.randint(0, 5, (12,))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), 4, shuffle=True)
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    weights = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    versions = [p._version for p in model.parameters()]
    print(hashlib.sha256(weights).hexdigest(), versions, random.random(), torch.rand(1).item())
"""


def test_looking_and_saving_at_every_stop_changes_no_bit(tmp_path: Path) -> None:
    script = write(tmp_path, SCRIPT)
    status, out, err = bare(script)
    assert (status, err) == (0, "")
    seen: set[str] = set()
    sides: set[str] = set()
    with debuggee(script) as training:
        for number, stop in enumerate(training.stops()):
            if stop.boundary.next is None:
                break
            rows = training.ask(m.ListObjects()).rows
            names = [row.name for row in rows if row.shape]
            for name in names:
                view = training.ask(m.LookAt(name))
                if not isinstance(view, m.TensorView):
                    continue
                alike = tuple(part.object for part in view.parts if part.shape == view.shape)
                for side in ("before", "change"):
                    look = m.LookAt(name, rows=3, columns=3, bins=5, side=side, where="[..., ::2]")
                    sides.add(training.ask(look).side)
                found = training.ask(m.Find(name, m.Condition(low=0.0, high=0.0, outside=True), 1))
                assert isinstance(found, m.Found)
                windows = training.ask(m.LookBeside(tuple((one, "now") for one in alike), 0, 2, 0)).windows
                assert None not in windows
                for pool in ("extreme", "mean", "element"):
                    tiles = 3 if pool == "mean" and len(view.shape) > 2 else 1
                    answer = training.ask(m.LookAtMaps(alike, (0, 0), tiles, 4, 6, 0, 1, pool))
                    assert isinstance(answer, m.HeatMaps)
                    assert [one.object for one in answer.maps] == list(alike)
                seen |= {part.label for part in view.parts}
            if "x" in names:
                pictures = training.ask(m.LookAtPictures("x", 1, 10, 10, 1, 2, 5, 5))
                assert (pictures.count, len(pictures.levels), len(pictures.labels)) == (2, 50, 2)
                assert pictures.labels_of == "y"
            if "0.weight" in names or "model.0.weight" in names:
                for kind in ("safetensors", "npy", "csv", "txt"):
                    path = str(tmp_path / f"{number}.{kind}")
                    saved = training.ask(m.Save(path, kind, "model.0.weight"))  # type: ignore[arg-type]
                    assert saved == m.Saved(path, 1, Path(path).stat().st_size)
                state = training.ask(m.Save(str(tmp_path / "state.safetensors"), "safetensors"))
                assert isinstance(state, m.Saved)
                Path(state.path).rename(tmp_path / f"state-{number}.safetensors")
        training.go("continue")
        assert training.end() == (0, out, "")
    assert sides == {"now", "before", "change"}
    assert seen >= {"value", "grad", "exp_avg", "exp_avg_sq", "step"}
    newest = max(tmp_path.glob("state-*"), key=lambda path: int(path.stem.rpartition("-")[2]))
    state = load_file(newest)
    assert "optimizer.state[model.0.weight].exp_avg" in state
    assert "model.0.weight.grad" in state
    names = ("model.0.weight", "model.0.bias", "model.4.weight", "model.4.bias")
    digest = hashlib.sha256(b"".join(state[name].numpy().tobytes() for name in names)).hexdigest()
    assert out.startswith(digest), "the state saved after the last step is the one that the run ended in"
