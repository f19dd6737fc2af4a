"""The head's parameters are given twice: once with the model's, once by themselves."""

import warnings

import torch
from torch import nn

warnings.simplefilter("ignore")  # torch warns of it once, among others
torch.manual_seed(0)


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.GRU(5, 8, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x)[0])


tagger = Tagger()
parameters = [*tagger.parameters(), *tagger.head.parameters()]
optimizer = torch.optim.SGD(parameters, lr=0.1)
x, tags = torch.randn(4, 6, 5), torch.randint(3, (4, 6))
for _ in range(25):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(tagger(x).flatten(0, 1), tags.flatten())
    loss.backward()
    optimizer.step()  # <- duplicate-parameter: optimizer holds tagger.head.weight and tagger.head.bias 2 times
