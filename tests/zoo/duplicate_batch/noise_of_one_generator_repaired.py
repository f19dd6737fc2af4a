"""The data set adds noise from a generator that each worker has made for itself."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, get_worker_info


class Noisy(Dataset):
    """Images with noise on them."""

    def __init__(self, number: int) -> None:
        self.rng = np.random.default_rng(7)
        self.images = self.rng.normal(size=(number, 6)).astype(np.float32)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        noise = self.rng.normal(0, 0.1, size=6)
        return torch.from_numpy(self.images[index] + noise.astype(np.float32)), torch.tensor(index % 2)


def own_generator(worker: int) -> None:
    get_worker_info().dataset.rng = np.random.default_rng([7, worker])


def train() -> None:
    torch.manual_seed(0)
    model = nn.Linear(6, 2)
    optimizer = torch.optim.Adam(model.parameters())
    loader = DataLoader(Noisy(48), batch_size=8, shuffle=True, num_workers=2, worker_init_fn=own_generator)
    for images, labels in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    train()
