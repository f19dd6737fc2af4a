"""The recurrent layer is told that the samples come first."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(30, 12)
        self.lstm = nn.LSTM(12, 12, batch_first=True)
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
        scores = tagger(word)
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), tag.flatten())
        loss.backward()
        optimizer.step()
