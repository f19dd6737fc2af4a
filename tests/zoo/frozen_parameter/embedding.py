"""An embedding that was trained elsewhere stays as it is."""

import torch
from torch import nn


class Tagger(nn.Module):
    def __init__(self, words: torch.Tensor) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(words)
        self.tags = nn.Linear(words.shape[1], 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.tags(self.words(tokens)).flatten(0, 1)


torch.manual_seed(0)
tagger = Tagger(torch.randn(20, 5))
adam = torch.optim.Adam((one for one in tagger.parameters() if one.requires_grad), lr=0.01)
tokens, tags = torch.randint(20, (6, 7)), torch.randint(3, (42,))
for _ in range(10):
    adam.zero_grad()
    loss = nn.functional.cross_entropy(tagger(tokens), tags)
    loss.backward()
    adam.step()  # <- frozen-parameter: tagger.words.weight
