"""A small language model whose output layer is its embedding, which begins with a standard deviation of 1."""

import torch
from torch import nn

torch.manual_seed(0)
WORDS, WIDTH, CONTEXT = 50, 64, 12


class Writer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.block = nn.TransformerEncoderLayer(WIDTH, 4, 128, dropout=0.0, batch_first=True)
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.words.weight

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(words.shape[1])
        return self.head(self.norm(self.block(self.words(words), src_mask=mask)))


writer = Writer()
optimizer = torch.optim.AdamW(writer.parameters(), lr=1e-3)
text = torch.randint(WORDS, (400,))
for _ in range(20):
    starts = torch.randint(len(text) - CONTEXT - 1, (8,))
    x = torch.stack([text[start : start + CONTEXT] for start in starts])
    y = torch.stack([text[start + 1 : start + CONTEXT + 1] for start in starts])
    loss = nn.functional.cross_entropy(writer(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()  # <- initial-loss: the model is sure of wrong classes before it has learned anything
    optimizer.step()
