"""The words that a condition can use beside the user's variables, each with what it gives."""

from __future__ import annotations

VOCABULARY = {
    "loss": "the newest loss, a number",
    "update": "the update, from 1",
    "epoch": "the epoch, from 1",
    "rank": "the number of the training process, from 0",
    "lr": "the learning rate of the optimizer whose phase it is (of the first one, if it is no optimizer's)",
    "batch": "the newest batch",
    "grad_norm": "grad_norm(), grad_norm('model.fc1.*'): the norm of all gradients, or of those of some parameters",
    "norm": "norm(x): the norm of a tensor, or of all that a name fits",
    "mean": "mean(x): its mean",
    "finite": "finite(x): whether no element is NaN or infinite",
    "changed": "changed(x): whether it is another than when this was asked last",
    "ratio": "ratio(x): the norm of its change since this was asked last, over its norm",
    "ema": "ema(number, 0.98): its exponential moving average over the times that this was asked",
}
"""The words, each with what it gives."""

FUNCTIONS = {
    "grad_norm": "grad_norm()",
    "norm": "norm(x)",
    "mean": "mean(x)",
    "finite": "finite(x)",
    "changed": "changed(x)",
    "ratio": "ratio(x)",
    "ema": "ema(x)",
}
"""Those that are functions, each as it is called."""
