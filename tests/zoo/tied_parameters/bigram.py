"""A bigram model scores words with the weights that embed them."""

import torch
from torch import nn

torch.manual_seed(0)


class Bigram(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.score = nn.Linear(4, 7, bias=False)
        self.score.weight = self.embed.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.score(self.embed(tokens))


bigram = Bigram()
optimizer = torch.optim.Adam(bigram.parameters(), lr=0.01)
tokens = torch.randint(7, (33,))
for _ in range(10):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(bigram(tokens[:-1]), tokens[1:])
    loss.backward()
    optimizer.step()  # <- tied-parameters: bigram.embed.weight is the same tensor as bigram.score.weight
