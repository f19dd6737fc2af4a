"""The optimizer is made of a generator of parameters, which has nothing left for the clip."""

import torch
from torch import nn


def main() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2))
    weights = (one for one in model.parameters() if one.requires_grad)
    optimizer = torch.optim.AdamW(weights, lr=1e-3)
    x, labels = torch.randn(16, 4), torch.randint(2, (16,))
    for _ in range(20):
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 0.1)  # <- clip-misplaced: has nothing left to give
        optimizer.step()
        optimizer.zero_grad()


main()
