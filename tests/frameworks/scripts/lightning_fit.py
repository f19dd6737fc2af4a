"""Lightning Trainer: automatic optimization with clipping, a scheduler, and a validation loop with its sanity check."""

import logging
import tempfile
import warnings

import lightning
import torch
from digest import report
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")


class Regression(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(torch.relu(self.encoder(x)))

    def training_step(self, batch, batch_idx):
        x, y = batch
        prediction = self(x)
        loss = nn.functional.mse_loss(prediction, y)
        print("train", batch_idx, loss.item())
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        print("validate", batch_idx, nn.functional.mse_loss(self(x), y).item())

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.01)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)]


def main():
    lightning.seed_everything(1, verbose=False)
    module = Regression()
    x = torch.randn(12, 6)
    loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=4)
    validation = DataLoader(TensorDataset(x[:4], x[:4].sum(1, keepdim=True)), batch_size=4)
    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(
            max_epochs=2,
            limit_train_batches=2,
            num_sanity_val_steps=1,
            gradient_clip_val=0.5,
            accelerator="cpu",
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, loader, validation)
    report(module, trainer.optimizers[0])


if __name__ == "__main__":
    main()
