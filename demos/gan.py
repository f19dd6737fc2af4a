"""Two networks against each other: a generator learns to throw points where eight clusters lie on a ring.

    stepdbg demos/gan.py         step through it
    python demos/gan.py          just train: some 10 s, and a picture of the ring at the end

What to look for:
  * one update is a round of both optimizers: two zero_grads, two losses, two backwards, two steps on the rail.
  * the step of `optimizer_d` changes the discriminator alone, that of `optimizer_g` the generator alone.
  * `loss_d.backward()` writes no gradient of the generator: `fake.detach()` cuts the graph there.
  * `loss_g.backward()` goes through the discriminator and writes its gradients too. Nobody asked for them;
    the next `optimizer_d.zero_grad()` throws them away. Without it they would be added to.
  * both losses are drawn in panel 5. Neither falls for long: each network spoils the other's.
"""

import argparse
import hashlib
import math

import torch
from torch import nn

parser = argparse.ArgumentParser(description="Train a small GAN on a ring of eight clusters.")
parser.add_argument("--updates", type=int, default=3000)
parser.add_argument("--digest", action="store_true", help="print a digest of the final weights")
args = parser.parse_args()

CLUSTERS, SPREAD, BATCH, NOISE = 8, 0.05, 128, 4
angles = torch.arange(CLUSTERS) * (2 * math.pi / CLUSTERS)
centres = torch.stack([angles.cos(), angles.sin()], dim=1)


def throw_real(count: int) -> torch.Tensor:
    """Points of the ring: (count, 2)."""
    return centres[torch.randint(CLUSTERS, (count,))] + SPREAD * torch.randn(count, 2)


def hits(points: torch.Tensor) -> tuple[int, float]:
    """How many clusters get their share (a quarter of it at least), and how much of all lies in some cluster."""
    distance, nearest = torch.cdist(points, centres).min(dim=1)
    inside = nearest[distance < 4 * SPREAD]
    share = inside.bincount(minlength=CLUSTERS) / len(points)
    return int((share > 0.25 / CLUSTERS).sum()), len(inside) / len(points)


def picture(points: torch.Tensor, wide: int = 48, high: int = 20) -> str:
    """The points as text, from -1.4 to 1.4 in both directions; a place with more of them is darker."""
    places = (((points + 1.4) / 2.8).clamp(0, 0.999) * torch.tensor([wide, high])).long()
    counts = (places[:, 1] * wide + places[:, 0]).bincount(minlength=wide * high).view(high, wide)
    return "\n".join("".join(" .:*#"[min(4, int(n).bit_length())] for n in row).rstrip() for row in counts.flip(0))


torch.manual_seed(0)
generator = nn.Sequential(
    nn.Linear(NOISE, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 2)
)
discriminator = nn.Sequential(
    nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1)
)
optimizer_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.99))
optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.99))
criterion = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

for update in range(1, args.updates + 1):
    optimizer_d.zero_grad()
    real = throw_real(BATCH)
    fake = generator(torch.randn(BATCH, NOISE))
    loss_d = criterion(discriminator(real), ones) + criterion(discriminator(fake.detach()), zeros)
    loss_d.backward()
    optimizer_d.step()

    optimizer_g.zero_grad()
    loss_g = criterion(discriminator(fake), ones)
    loss_g.backward()
    optimizer_g.step()

    if update % 250 == 0:
        clusters, share = hits(fake.detach())
        print(
            f"update {update}: loss_d {loss_d.item():.3f}, loss_g {loss_g.item():.3f}, "
            f"{clusters} of {CLUSTERS} clusters, {share:.0%} of the points in them",
            flush=True,
        )

with torch.no_grad():
    print(picture(generator(torch.randn(1000, NOISE))))

if args.digest:
    networks = [*generator.state_dict().values(), *discriminator.state_dict().values()]
    print(f"digest {hashlib.sha256(b''.join(tensor.numpy().tobytes() for tensor in networks)).hexdigest()[:16]}")
