"""skorch: NeuralNetClassifier.fit on arrays, with its own split into training and validation."""

import numpy as np
import torch
from digest import report
from skorch import NeuralNetClassifier
from torch import nn


class Classifier(nn.Module):
    def __init__(self, hidden=8):
        super().__init__()
        self.encoder = nn.Linear(6, hidden)
        self.head = nn.Linear(hidden, 2)

    def forward(self, x):
        return torch.softmax(self.head(torch.relu(self.encoder(x))), dim=-1)


def main():
    torch.manual_seed(1)
    generator = np.random.default_rng(1)
    features = generator.normal(size=(20, 6)).astype(np.float32)
    labels = (features.sum(1) > 0).astype(np.int64)
    net = NeuralNetClassifier(
        Classifier, max_epochs=2, lr=0.1, batch_size=8, optimizer=torch.optim.Adam, verbose=0, module__hidden=5
    )
    net.fit(features, labels)
    for row in net.history:
        print("epoch", row["epoch"], row["train_loss"], row["valid_loss"])
    report(net.module_, net.optimizer_)


if __name__ == "__main__":
    main()
