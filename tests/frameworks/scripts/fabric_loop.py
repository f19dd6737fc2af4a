"""A loop on Lightning's Fabric, which wraps the optimizer: zero_grad and step arrive on different objects."""

import torch
from digest import report
from lightning.fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def main():
    fabric = Fabric(accelerator="cpu", devices=1)
    fabric.seed_everything(1, verbose=False)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model, optimizer = fabric.setup(model, optimizer)
    x = torch.randn(12, 6)
    loader = fabric.setup_dataloaders(DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=4))
    for inputs, targets in loader:
        optimizer.zero_grad()
        prediction = model(inputs)
        loss = nn.functional.mse_loss(prediction, targets)
        fabric.backward(loss)
        fabric.clip_gradients(model, optimizer, max_norm=0.5)
        optimizer.step()
        print("loss", loss.item())
    report(model, optimizer)


if __name__ == "__main__":
    main()
