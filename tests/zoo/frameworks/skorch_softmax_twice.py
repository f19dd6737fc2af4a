"""skorch: a classifier that ends in a softmax, given to CrossEntropyLoss."""

import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import nn


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return torch.softmax(self.head(torch.relu(self.encoder(x))), dim=-1)


torch.manual_seed(1)
features = np.random.default_rng(1).normal(size=(40, 6)).astype(np.float32)
labels = (features.sum(1) > 0).astype(np.int64)
net = NeuralNetClassifier(Classifier, criterion=nn.CrossEntropyLoss, max_epochs=3, lr=0.1, batch_size=8, verbose=0)
net.fit(features, labels)  # <- activated-logits: cross_entropy takes logits
