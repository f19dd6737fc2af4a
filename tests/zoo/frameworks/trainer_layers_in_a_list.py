"""Hugging Face Trainer: the layers of the model lie in a Python list."""

import tempfile

import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed


class Waves(Dataset):
    def __len__(self) -> int:
        return 32

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        x = torch.randn(6, generator=torch.Generator().manual_seed(index))
        return {"x": x, "labels": (x.sum() > 0).long()}


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(6, 6), nn.Linear(6, 6)]  # <- unregistered-parameter: layers is a Python list
        self.head = nn.Linear(6, 2)

    def forward(self, x, labels=None):
        for layer in self.layers:
            x = torch.relu(layer(x))
        logits = self.head(x)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


set_seed(1)
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder, num_train_epochs=1, per_device_train_batch_size=4, report_to=[], use_cpu=True, disable_tqdm=True
    )
    trainer = Trainer(Classifier(), arguments, train_dataset=Waves())
    trainer.remove_callback(PrinterCallback)
    trainer.train()
