"""A loop on accelerate: prepare, accumulate, clip, a scheduler; runs alone and under `accelerate launch`."""

import sys

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from digest import report
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def tell(line):
    """Print a line whole: beside another process's, and unbuffered, `print` may write it in pieces."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main():
    set_seed(1)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
    opt = torch.optim.AdamW(net.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.StepLR(opt, step_size=1, gamma=0.5)
    x = torch.randn(16, 6)
    loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=4)
    model, optimizer, loader, scheduler = accelerator.prepare(net, opt, loader, schedule)
    for _ in range(2):
        for inputs, targets in loader:
            with accelerator.accumulate(model):
                predictions = model(inputs)
                loss = nn.functional.mse_loss(predictions, targets)
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
        if accelerator.is_main_process:
            tell(f"loss {loss.item()}")
    model.eval()
    with torch.no_grad():
        tell(f"eval {accelerator.process_index} {model(x[:4]).sum().item()}")
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        report(accelerator.unwrap_model(model), optimizer)
    accelerator.end_training()


if __name__ == "__main__":
    main()
