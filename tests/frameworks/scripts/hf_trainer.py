"""Hugging Face Trainer: a model that returns its loss, accumulation, clipping, a scheduler, an evaluation per epoch."""

import tempfile

import torch
from digest import report
from torch import nn
from torch.utils.data import Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed


class Waves(Dataset):
    def __init__(self, size, seed):
        generator = torch.Generator().manual_seed(seed)
        self.x = torch.randn(size, 6, generator=generator)
        self.y = (self.x.sum(1) > 0).long()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return {"x": self.x[index], "labels": self.y[index]}


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x, labels=None):
        logits = self.head(torch.relu(self.encoder(x)))
        loss = nn.functional.cross_entropy(logits, labels)
        return {"loss": loss, "logits": logits}


class Tell(TrainerCallback):
    def on_log(self, args, state, control, logs=None, **kwargs):
        print(state.global_step, {key: logs[key] for key in ("loss", "grad_norm", "eval_loss") if key in logs})


def main():
    set_seed(1)
    model = Classifier()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=4,
                gradient_accumulation_steps=2,
                num_train_epochs=2,
                max_grad_norm=0.5,
                learning_rate=0.01,
                lr_scheduler_type="linear",
                logging_steps=1,
                eval_strategy="epoch",
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                use_cpu=True,
            ),
            train_dataset=Waves(16, seed=2),
            eval_dataset=Waves(8, seed=3),
            callbacks=[Tell()],
        )
        trainer.remove_callback(PrinterCallback)  # it prints times
        trainer.train()
    report(model, trainer.optimizer)


if __name__ == "__main__":
    main()
