"""The heads of a model come out of a dict in another order after a restart; the checkpoint knows their names."""

import torch
from torch import nn


class Heads(nn.Module):
    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.body = nn.Linear(3, 5)
        self.heads = nn.ModuleDict({name: nn.Linear(5, 2) for name in names})

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        h = self.body(x).relu()
        return {name: head(h) for name, head in self.heads.items()}


class Trainer:
    def __init__(self, names: list[str]) -> None:
        self.model = Heads(names)
        self.opt = torch.optim.SGD(self.model.named_parameters(), lr=0.05, momentum=0.9)

    def fit(self, updates: int) -> None:
        for _ in range(updates):
            x = torch.randn(8, 3)
            out = self.model(x)
            loss = (out["depth"] - x[:, :2]).square().mean() + (out["pose"] + x[:, 1:]).square().mean()
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()

    def state(self) -> dict:
        return {"model": self.model.state_dict(), "opt": self.opt.state_dict()}

    def resume(self, saved: dict) -> None:
        self.model.load_state_dict(saved["model"])
        self.opt.load_state_dict(saved["opt"])  # <- wrong-state: goes by position


def main() -> None:
    torch.manual_seed(3)
    first = Trainer(["depth", "pose"])
    first.fit(6)
    second = Trainer(["pose", "depth"])
    second.resume(first.state())
    second.fit(10)


main()
