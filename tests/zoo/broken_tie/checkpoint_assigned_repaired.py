"""A language model with tied embeddings: a checkpoint is loaded in place, and they stay tied."""

import copy

import torch
from torch import nn

torch.manual_seed(0)


class Language(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.mix = nn.Linear(6, 6)
        self.out = nn.Linear(6, 11, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(self.mix(self.embed(tokens)).relu())


lm = Language()
optimizer = torch.optim.SGD(lm.parameters(), lr=0.1)
tokens = torch.randint(11, (8, 5))
best = None
for update in range(20):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(lm(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    optimizer.step()
    if update == 5:
        best = copy.deepcopy(lm.state_dict())
        best["out.weight"] = best["out.weight"].clone()
    if update == 9:
        lm.load_state_dict(best)
