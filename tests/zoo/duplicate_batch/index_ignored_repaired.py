"""The data set gives the window that it is asked for."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)


class Windows(Dataset):
    """Windows of a series, and what comes after each."""

    def __init__(self, series: torch.Tensor, width: int) -> None:
        self.windows = series.unfold(0, width + 1, 1)
        self.width = width

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int):
        window = self.windows[index]
        return window[: self.width], window[self.width :]


series = torch.sin(torch.arange(60) * 0.3)
loader = DataLoader(Windows(series, 5), batch_size=6, shuffle=True)
net = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
for _ in range(2):
    for window, following in loader:
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(window), following)
        loss.backward()
        opt.step()
