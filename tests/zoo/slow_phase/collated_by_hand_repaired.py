"""The batches are put together by torch's own operators."""

import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(0)
torch.set_num_threads(1)
Sample = tuple[torch.Tensor, int]
LENGTH = 6_000


def collate(samples: list[Sample]) -> tuple[torch.Tensor, torch.Tensor]:
    joined = torch.stack([series for series, _ in samples])
    return torch.stack([joined.mean(dim=1), joined.amax(dim=1)], dim=1), torch.tensor([label for _, label in samples])


series: list[Sample] = [(torch.randn(LENGTH), number % 2) for number in range(40)]
loader = DataLoader(series, batch_size=8, collate_fn=collate)
model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(3):
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
