"""Lightning Trainer: a batch of the wrong width, and a callback that tears the model down when training raises."""

import logging
import tempfile
import warnings

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")


class Regression(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        return self.layer(batch).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


class TearDown(lightning.Callback):
    def on_exception(self, trainer, pl_module, exception):
        print("torn down", pl_module.layer.weight.device)
        pl_module.to("meta")
        trainer.optimizers[0].param_groups.clear()


def main():
    lightning.seed_everything(1, verbose=False)
    module = Regression()
    rows = [torch.ones(6), torch.ones(6), torch.ones(5)]
    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            default_root_dir=folder,
            logger=False,
            callbacks=[TearDown()],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, DataLoader(rows, batch_size=1))


if __name__ == "__main__":
    main()
