"""Both towers are trained."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class TwoTowers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Linear(8, 4)
        self.text = nn.Sequential(nn.Embedding(20, 6), nn.Flatten(), nn.Linear(18, 4))

    def forward(self, pixels: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        image = nn.functional.normalize(self.image(pixels), dim=1)
        text = nn.functional.normalize(self.text(words), dim=1)
        return image @ text.T


def main() -> None:
    model = TwoTowers()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    pairs = TensorDataset(torch.randn(64, 8), torch.randint(0, 20, (64, 3)))
    for pixels, words in DataLoader(pairs, batch_size=8):
        loss = nn.functional.cross_entropy(model(pixels, words), torch.arange(len(pixels)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(loss.item())


main()
