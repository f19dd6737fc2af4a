"""A language model is trained on padded micro-batches, and each averages over its own tokens: short ones weigh more."""

import torch
from torch import nn

torch.manual_seed(0)
PADDING, WORDS, STEPS = -100, 20, 3


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 16)
        self.cell = nn.GRU(16, 16, batch_first=True)
        self.head = nn.Linear(16, WORDS)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.head(self.cell(self.words(words))[0])


def batch_of(length: int) -> tuple[torch.Tensor, torch.Tensor]:
    words = torch.randint(WORDS, (4, 13))
    targets = words[:, 1:].clone()
    targets[:, length:] = PADDING
    return words[:, :-1], targets


reader = Reader()
optimizer = torch.optim.Adam(reader.parameters(), lr=1e-3)
for _ in range(6):
    micro = [batch_of(length) for length in (2, 5, 12)]
    optimizer.zero_grad()
    for words, targets in micro:
        scores = reader(words).transpose(1, 2)
        loss = nn.functional.cross_entropy(scores, targets, ignore_index=PADDING) / STEPS
        loss.backward()  # <- accumulation-scale: a mean of means is taken, over micro-batches of different size
    optimizer.step()
