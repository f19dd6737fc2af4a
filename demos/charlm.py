"""A small character-level transformer, as its textbooks train it: AdamW in two groups, warm-up, clipping.

    stepdbg demos/charlm.py      step through it
    python demos/charlm.py       just train: some 20 s to half-words

What to look for:
  * `clip` is a phase of its own, between `backward` and `step`: it scales gradients and changes no parameter.
  * `scheduler` changes the learning rate, and nothing else, after each update: see it rise through the warm-up.
  * the optimizer has two groups (panel 4): matrices decay, biases and layer norms do not.
  * the embedding and the head are one tensor with two names: it is listed once, counted once, and changed once.
  * after each epoch a line of text is drawn from the model: `eval`, once per character, and n passes over them all.
"""

import argparse
import hashlib
import math
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

TEXT = Path(__file__).parent / "data" / "preacher.txt"
CONTEXT, WIDTH, HEADS, LAYERS = 64, 64, 4, 2
WARM_UP = 40


class Block(nn.Module):
    """Causal self-attention, then a small network; each adds to what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.project = nn.Linear(WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(attended.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.mlp(self.norm2(x))


class CharLM(nn.Module):
    """Scores of the next character at each place: (batch, length) codes in, (batch, length, alphabet) out."""

    def __init__(self, alphabet: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(alphabet, WIDTH)
        self.position = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, alphabet, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.position.weight, std=0.02)
        self.head.weight = self.embedding.weight

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        x = self.embedding(codes) + self.position.weight[: codes.shape[1]]
        return self.head(self.norm(self.blocks(x)))


@torch.no_grad()
def draw(model: CharLM, codes: torch.Tensor, length: int) -> torch.Tensor:
    """Continue a text by so many characters, each drawn from what the model gives for it."""
    for _ in range(length):
        scores = model(codes[:, -CONTEXT:])[:, -1]
        codes = torch.cat([codes, torch.multinomial(scores.softmax(-1), 1)], dim=1)
    return codes


parser = argparse.ArgumentParser(description="Train a small character-level transformer.")
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--updates", type=int, help="stop after so many updates")
parser.add_argument("--digest", action="store_true", help="print a digest of the final weights")
args = parser.parse_args()

torch.manual_seed(0)
text = TEXT.read_text(encoding="utf-8")
alphabet = sorted(set(text))
codes = torch.tensor([alphabet.index(character) for character in text])
loader = DataLoader(codes.unfold(0, CONTEXT + 1, CONTEXT), batch_size=16, shuffle=True, drop_last=True)
total = args.updates or args.epochs * len(loader)

model = CharLM(len(alphabet))
matrices = [p for p in model.parameters() if p.dim() >= 2]
vectors = [p for p in model.parameters() if p.dim() < 2]
optimizer = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}], lr=3e-3, betas=(0.9, 0.99)
)


def warm_up_then_cosine(update: int) -> float:
    """What the learning rate is multiplied by: up in a line, down in half a cosine."""
    return min(1.0, (update + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * update / max(WARM_UP, total)))


scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_up_then_cosine)

done = 0
for epoch in range(1, args.epochs + 1):
    model.train()
    for windows in loader:
        x, y = windows[:, :-1], windows[:, 1:]
        optimizer.zero_grad()
        scores = model(x)
        loss = F.cross_entropy(scores.flatten(0, 1), y.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        done += 1
        if done == total:
            break

    model.eval()
    drawn = draw(model, torch.tensor([[alphabet.index("\n")]]), length=60)[0, 1:]
    line = "".join(alphabet[code] for code in drawn).replace("\n", " / ")
    print(f"epoch {epoch}: loss {loss.item():.3f}  {line}", flush=True)
    if done == total:
        break

if args.digest:
    weights = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    print(f"digest {hashlib.sha256(weights).hexdigest()[:16]}")
