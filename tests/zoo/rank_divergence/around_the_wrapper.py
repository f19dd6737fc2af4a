"""The loss comes from the model inside DistributedDataParallel: no gradient is averaged, and each rank trains alone."""

import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def train(rank: int, world: int, port: int) -> None:
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    torch.manual_seed(rank)
    policy = DistributedDataParallel(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)))
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.05)
    for _ in range(5):
        states, rewards = torch.randn(6, 4), torch.randn(6, 2)
        scores = policy.module(states)  # <- rank-divergence: averages no gradients
        loss = -(scores.log_softmax(dim=1) * rewards).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    dist.destroy_process_group()


if __name__ == "__main__":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    mp.start_processes(train, (2, number), nprocs=2, start_method="fork")
