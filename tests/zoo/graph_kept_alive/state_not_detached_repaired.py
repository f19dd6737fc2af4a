"""A language model carries its state from piece to piece, without the graph."""

import torch
from torch import nn

torch.manual_seed(0)


class Model(nn.Module):
    """Predicts the next character."""

    def __init__(self, characters: int = 8, width: int = 12) -> None:
        super().__init__()
        self.embed = nn.Embedding(characters, width)
        self.rnn = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, characters)

    def forward(self, x: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out, state = self.rnn(self.embed(x), state)
        return self.head(out), state


model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
text = torch.randint(8, (4, 101))
state = torch.zeros(1, 4, 12)
for start in range(0, 100, 5):
    x, y = text[:, start : start + 5], text[:, start + 1 : start + 6]
    logits, state = model(x, state.detach())
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    try:
        loss.backward()
    except RuntimeError as error:
        print(f"at {start}: {error}")
        break
    optimizer.step()
