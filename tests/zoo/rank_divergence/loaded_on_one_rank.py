"""After the model is wrapped, rank 0 alone takes the weights that were saved: the others go on with their own."""

import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def pretrained() -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    return nn.Linear(3, 1).state_dict()


def train(rank: int, world: int, port: int) -> None:
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    torch.manual_seed(0)
    net = DistributedDataParallel(nn.Linear(3, 1))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    if rank == 0:
        net.module.load_state_dict(pretrained())  # <- rank-divergence: values of its own
    torch.manual_seed(rank + 1)
    for _ in range(5):
        x = torch.randn(8, 3)
        opt.zero_grad()
        loss = (net(x).squeeze(1) - x.sum(1)).square().mean()
        loss.backward()
        opt.step()
    dist.destroy_process_group()


if __name__ == "__main__":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    mp.start_processes(train, (2, number), nprocs=2, start_method="fork")
