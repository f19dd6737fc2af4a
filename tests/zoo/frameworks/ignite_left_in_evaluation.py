"""ignite: an evaluator puts the model into evaluation mode, and the update function does not put it back."""

import torch
from ignite.engine import Engine, Events, create_supervised_evaluator
from ignite.metrics import Accuracy
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.4), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x = torch.randn(32, 6)
loader = DataLoader(TensorDataset(x, (x.sum(1) > 0).long()), batch_size=8)
evaluator = create_supervised_evaluator(model, metrics={"accuracy": Accuracy()})


def update(engine, batch):
    inputs, labels = batch
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(inputs), labels)  # <- eval-mode-training: train() was not called again
    loss.backward()
    optimizer.step()
    return loss.item()


trainer = Engine(update)
trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda _: evaluator.run(loader))
trainer.run(loader, max_epochs=4)
