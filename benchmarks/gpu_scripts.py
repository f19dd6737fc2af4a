"""Programs that meet a GPU, each with something of its own that a debugger could disturb. Each prints its bits."""

from __future__ import annotations

_BEGIN = """
import torch
from torch import nn
torch.manual_seed(0)
def network(wide=256):
    return nn.Sequential(nn.Linear(wide, wide), nn.BatchNorm1d(wide), nn.ReLU(), nn.Dropout(0.1), nn.Linear(wide, 1))
def bits(model, *numbers):
    print([p.detach().double().sum().item() for p in model.parameters()], *map(float, numbers))
"""
SCRIPTS = {
    "fused AdamW, clipped, dropout": """
model = network().cuda()
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
batch = torch.randn(64, 256, device="cuda")
for _ in range(4):
    optimizer.zero_grad()
    loss = model(batch).square().mean()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
bits(model, loss, torch.rand(1, device="cuda"))
""",
    "default device": """
torch.set_default_device("cuda")
model = network()
optimizer = torch.optim.Adam(model.parameters())
batch = torch.randn(64, 256)
for _ in range(4):
    optimizer.zero_grad()
    loss = model(batch).square().mean()
    loss.backward()
    optimizer.step()
bits(model, loss)
""",
    "float16 with a scaler, channels last, validation in inference mode": """
torch.backends.cudnn.deterministic = True
layers = nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 1)
model = nn.Sequential(*layers).to("cuda", memory_format=torch.channels_last)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
scaler = torch.amp.GradScaler("cuda")
batch = torch.randn(16, 3, 32, 32, device="cuda").contiguous(memory_format=torch.channels_last)
for _ in range(4):
    optimizer.zero_grad()
    with torch.autocast("cuda", torch.float16):
        loss = model(batch).square().mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    model.eval()
    with torch.inference_mode():
        checked = model(batch).sum()
    model.train()
bits(model, loss, checked)
""",
    "a batch on another stream": """
model = network().cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
beside = torch.cuda.Stream()
pinned = [torch.randn(4096, 256).pin_memory() for _ in range(5)]
following = pinned[0].to("cuda", non_blocking=True)
for number in range(4):
    torch.cuda.current_stream().wait_stream(beside)
    batch = following
    with torch.cuda.stream(beside):
        following = pinned[number + 1].to("cuda", non_blocking=True)
    optimizer.zero_grad()
    loss = model(batch).square().mean()
    loss.backward()
    optimizer.step()
bits(model, loss)
""",
    "two optimizers in hooks of backward": """
model = network().cuda()
own = {p: torch.optim.SGD([p], lr=0.01) for p in model.parameters()}
def at_once(parameter):
    own[parameter].step()
    own[parameter].zero_grad()
for parameter in own:
    parameter.register_post_accumulate_grad_hook(at_once)
batch = torch.randn(64, 256, device="cuda")
for _ in range(4):
    loss = model(batch).square().mean()
    loss.backward()
bits(model, loss)
""",
    "a CUDA graph, recorded after three updates and replayed": """
model = nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1)).cuda()
optimizer = torch.optim.Adam(model.parameters(), capturable=True)
batch = torch.randn(64, 256, device="cuda")
beside = torch.cuda.Stream()
beside.wait_stream(torch.cuda.current_stream())
def update():
    optimizer.zero_grad(set_to_none=True)
    loss = model(batch).square().mean()
    loss.backward()
    optimizer.step()
    return loss
with torch.cuda.stream(beside):
    for _ in range(3):
        update()
torch.cuda.current_stream().wait_stream(beside)
graph = torch.cuda.CUDAGraph()
with torch.cuda.graph(graph):
    loss = update()
for _ in range(5):
    batch.copy_(torch.randn(64, 256))
    graph.replay()
torch.cuda.synchronize()
bits(model, loss)
""",
    "compiled for CUDA graphs": """
model = nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256)).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
compiled = torch.compile(model, mode="reduce-overhead")
batch = torch.randn(64, 256, device="cuda")
for _ in range(6):
    loss = compiled(batch).square().mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
bits(model, loss)
""",
    "an index beyond the table, noticed by the device": """
model = nn.Embedding(10, 64).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for index in (1, 5, 10):
    optimizer.zero_grad()
    loss = model(torch.tensor([index], device="cuda")).square().mean()
    loss.backward()
    optimizer.step()
bits(model, loss)
""",
    "out of memory, caught and gone on from": """
model = nn.Linear(2048, 2048).cuda()
optimizer = torch.optim.AdamW(model.parameters())
for number in range(4):
    optimizer.zero_grad()
    loss = model(torch.randn(64, 2048, device="cuda")).square().mean()
    loss.backward()
    optimizer.step()
    if number == 1:
        try:
            torch.empty(1 << 50, dtype=torch.uint8, device="cuda")
        except torch.OutOfMemoryError:
            pass
bits(model, loss)
""",
    "300 MB left beyond what training needs": """
model = nn.Sequential(*[nn.Linear(4096, 4096) for _ in range(8)]).cuda()
optimizer = torch.optim.AdamW(model.parameters(), foreach=False)
batch = torch.randn(64, 4096, device="cuda")
def update():
    optimizer.zero_grad()
    loss = model(batch).square().mean()
    loss.backward()
    optimizer.step()
    return loss
update()
torch.cuda.synchronize()
torch.cuda.empty_cache()
left = torch.cuda.mem_get_info()[0] - (1 << 30) - (300 << 20)
taken = torch.empty(max(0, left), dtype=torch.uint8, device="cuda")
for _ in range(3):
    loss = update()
bits(model, loss)
""",
}
SCRIPTS = {name: _BEGIN + text for name, text in SCRIPTS.items()}
ON_A_GPU = """
import contextlib, warnings
DEVICE = "cuda"
@contextlib.contextmanager
def counted():
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as met:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        yield met
        torch.cuda.set_sync_debug_mode("default")
"""
"""Where `WAITS` trains, and how it counts the times that the host waits for the device."""
WAITS = """
model = network(64).to(DEVICE)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
batch = torch.randn(64, 64, device=DEVICE)
def update():
    optimizer.zero_grad()
    loss = model(batch).square().mean()
    loss.backward()
    optimizer.step()
for _ in range(4):  # what is set up once may wait
    update()
with counted() as met:
    for _ in range(20):
        update()
print(len(met), "waits")
bits(model)
"""
CONDITIONS = (
    "backward if loss > 1e9",
    "step if grad_norm() > 1e9",
    'step if not finite("model.*.grad")',
    'after step if norm("model.*") > 1e9',
    "forward if (batch > 1e9).any()",
)
"""Conditions on what lies on the device, none of which ever holds."""


def waiting(where: str = ON_A_GPU) -> str:
    """A training that tells how often the host has waited for the device in twenty updates."""
    return _BEGIN + where + WAITS


ALONE = ("300 MB left beyond what training needs",)
"""Those that need the whole device."""
