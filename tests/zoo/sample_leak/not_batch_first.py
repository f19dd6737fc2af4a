"""Tokens come with the samples first, and the recurrent layer takes the first dimension for time."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(30, 12)
        self.lstm = nn.LSTM(12, 12)
        self.tags = nn.Linear(12, 4)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.lstm(self.words(words))
        return self.tags(hidden)


words = torch.randint(30, (80, 7))
loader = DataLoader(TensorDataset(words, words % 4), batch_size=8, shuffle=True)
tagger = Tagger()
optimizer = torch.optim.AdamW(tagger.parameters(), lr=1e-2)
for _ in range(2):
    for word, tag in loader:
        optimizer.zero_grad()
        scores = tagger(word)  # <- sample-leak: the first output in which they are mixed is that of tagger.lstm
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), tag.flatten())
        loss.backward()
        optimizer.step()
