"""A classifier small enough for plain Python: tensors over arrays of floats, one network, cross entropy, Adam.

It exists so that the fake debuggee has true objects to show, and is deterministic to the last bit.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Iterator
from itertools import count

FEATURES, HIDDEN, CLASSES, BATCH = 12, 16, 4, 8


class Tensor:
    """Numbers with a shape, a gradient and a counter of writes."""

    _identities = count()

    def __init__(self, shape: tuple[int, ...], values: array[float] | None = None, dtype: str = "float32") -> None:
        self.shape = shape
        self.values = array("d", bytes(8 * math.prod(shape))) if values is None else values
        self.dtype = dtype
        self.grad: Tensor | None = None
        self.version = 0
        self.before: array[float] | None = None
        """The numbers before the last write."""
        self.identity = next(self._identities)
        """Never used twice, unlike `id()`."""
        self.grad_fn = ""

    @property
    def bytes(self) -> int:
        """Size of the numbers, by their dtype."""
        return len(self.values) * (8 if self.dtype == "int64" else 4)

    def write(self, values: array[float]) -> None:
        """Replace the numbers in place."""
        self.before = array("d", self.values)
        self.values[:] = values
        self.version += 1


class Loss(Tensor):
    """A scalar that knows the way back to the parameters."""

    def __init__(self, value: float, backward: Callable[[], None]) -> None:
        super().__init__((), array("d", [value]))
        self.grad_fn = "NllLossBackward0"
        self._backward = backward
        self.walked = False
        """Whether `backward` was called."""

    def backward(self) -> None:
        """Fill the gradients, adding to those that are there."""
        self.walked = True
        self._backward()


def nobody(*_: object) -> None:
    """Looks at nothing."""


class Network:
    """fc1 → a shift by the running mean, as a batch norm would → relu → fc2."""

    def __init__(self, seed: int = 7, blocks: int = 0) -> None:
        """Draw the weights; `blocks` more modules, with a weight each, take no part and get gradients of zero."""
        generator = random.Random(seed)

        def uniform(*shape: int) -> Tensor:
            bound = 1 / math.sqrt(shape[-1])
            numbers = array("d", (generator.uniform(-bound, bound) for _ in range(math.prod(shape))))
            return Tensor(shape, numbers)

        self.parameters = {
            "fc1.weight": uniform(HIDDEN, FEATURES),
            "fc1.bias": uniform(HIDDEN),
            "fc2.weight": uniform(CLASSES, HIDDEN),
            "fc2.bias": uniform(CLASSES),
            **{f"blocks.{number}.weight": uniform(1, 2) for number in range(blocks)},
        }
        self.buffers = {"norm.running_mean": Tensor((HIDDEN,)), "norm.num_batches_tracked": Tensor((), dtype="int64")}
        self.on_module: Callable[[str, Tensor, Tensor], None] = nobody
        """Told of each module that has been called: its name, what went in, what came out."""
        self.on_gradient: Callable[[str], None] = nobody
        """Told of each parameter whose gradient has been written."""
        self._shifted: list[array[float]] = []
        self._input = Tensor((0,))

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (batch × classes) of `x` (batch × features)."""
        weight, bias = self.parameters["fc1.weight"].values, self.parameters["fc1.bias"].values
        hidden = [array("d", (bias[j] + _dot(weight, j * FEATURES, row) for j in range(HIDDEN))) for row in _rows(x)]
        first = _tensor_of(hidden)
        self.on_module("fc1", x, first)
        mean = self.buffers["norm.running_mean"]
        batch_mean = [sum(row[j] for row in hidden) / len(hidden) for j in range(HIDDEN)]
        mean.write(array("d", (0.9 * old + 0.1 * new for old, new in zip(mean.values, batch_mean, strict=True))))
        tracked = self.buffers["norm.num_batches_tracked"]
        tracked.write(array("d", [tracked.values[0] + 1]))
        self._input = x
        self._shifted = [array("d", (h - m for h, m in zip(row, mean.values, strict=True))) for row in hidden]
        shifted = _tensor_of(self._shifted)
        self.on_module("norm", first, shifted)
        logits = self._head(self._shifted)
        logits.grad_fn = "AddmmBackward0"
        self.on_module("fc2", shifted, logits)
        return logits

    def cross_entropy(self, logits: Tensor, y: Tensor) -> Loss:
        """Mean cross entropy of logits (batch × classes) against labels (batch)."""
        likelihoods = []
        for row in _rows(logits):
            top = max(row)
            powers = [math.exp(value - top) for value in row]
            likelihoods.append([power / sum(powers) for power in powers])
        labels = [int(label) for label in y.values]
        value = -sum(math.log(max(p[label], 1e-30)) for p, label in zip(likelihoods, labels, strict=True)) / len(labels)
        return Loss(value, lambda: self._backward(likelihoods, labels))

    def accuracy(self, x: Tensor, y: Tensor) -> float:
        """The share of `x` whose largest logit is at the label; changes nothing."""
        weight, bias = self.parameters["fc1.weight"].values, self.parameters["fc1.bias"].values
        mean = self.buffers["norm.running_mean"].values
        shifted = [
            array("d", (bias[j] + _dot(weight, j * FEATURES, row) - mean[j] for j in range(HIDDEN))) for row in _rows(x)
        ]
        best = [max(range(CLASSES), key=list(row).__getitem__) for row in _rows(self._head(shifted))]
        return sum(b == int(label) for b, label in zip(best, y.values, strict=True)) / len(best)

    def _head(self, shifted: list[array[float]]) -> Tensor:
        weight, bias = self.parameters["fc2.weight"].values, self.parameters["fc2.bias"].values
        logits = array("d")
        for row in shifted:
            active = array("d", (max(value, 0.0) for value in row))
            logits.extend(bias[k] + _dot(weight, k * HIDDEN, active) for k in range(CLASSES))
        return Tensor((len(shifted), CLASSES), logits)

    def _backward(self, likelihoods: list[list[float]], labels: list[int]) -> None:
        gradients = {name: array("d", bytes(8 * len(p.values))) for name, p in self.parameters.items()}
        head = self.parameters["fc2.weight"].values
        for row, (likelihood, label, shifted) in enumerate(zip(likelihoods, labels, self._shifted, strict=True)):
            features = self._input.values[row * FEATURES : (row + 1) * FEATURES]
            errors = [(p - (k == label)) / len(labels) for k, p in enumerate(likelihood)]
            for k, error in enumerate(errors):
                gradients["fc2.bias"][k] += error
                for j in range(HIDDEN):
                    gradients["fc2.weight"][k * HIDDEN + j] += error * max(shifted[j], 0.0)
            for j in range(HIDDEN):
                if shifted[j] <= 0:
                    continue
                error = sum(errors[k] * head[k * HIDDEN + j] for k in range(CLASSES))
                gradients["fc1.bias"][j] += error
                for i in range(FEATURES):
                    gradients["fc1.weight"][j * FEATURES + i] += error * features[i]
        for name, parameter in reversed(self.parameters.items()):
            if parameter.grad is None:
                parameter.grad = Tensor(parameter.shape, gradients[name])
            else:
                pairs = zip(parameter.grad.values, gradients[name], strict=True)
                parameter.grad.write(array("d", (old + new for old, new in pairs)))
            self.on_gradient(name)


class Adam:
    """Adam with bias correction, over the parameters of a `Network`."""

    def __init__(self, parameters: dict[str, Tensor], lr: float = 0.02) -> None:
        self.parameters = parameters
        self.lr = Tensor((), array("d", [lr]), "float64")
        self.betas, self.eps = (0.9, 0.999), 1e-8
        self.state: dict[str, dict[str, Tensor]] = {}
        self.steps = 0
        self.moved: set[str] | None = None
        """What the step that runs has written so far; None between steps."""
        self.on_parameter: Callable[[str], None] = nobody
        """Told of each parameter that has been written."""

    def zero_grad(self) -> None:
        """Free the gradients."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def step(self) -> None:
        """One step of every parameter that has a gradient."""
        self.moved = set()
        for name, parameter in self.parameters.items():
            if parameter.grad is None:
                continue
            if name not in self.state:
                shape = parameter.shape
                self.state[name] = {"step": Tensor(()), "exp_avg": Tensor(shape), "exp_avg_sq": Tensor(shape)}
            state = self.state[name]
            steps = state["step"].values[0] + 1
            (first, second), lr, grad = self.betas, self.lr.values[0], parameter.grad.values
            average, square = state["exp_avg"].values, state["exp_avg_sq"].values
            average = array("d", (first * a + (1 - first) * g for a, g in zip(average, grad, strict=True)))
            square = array("d", (second * s + (1 - second) * g * g for s, g in zip(square, grad, strict=True)))
            size = lr / (1 - first**steps)
            correction = 1 - second**steps
            parameter.write(
                array(
                    "d",
                    (
                        p - size * a / (math.sqrt(s / correction) + self.eps)
                        for p, a, s in zip(parameter.values, average, square, strict=True)
                    ),
                )
            )
            state["step"].write(array("d", [steps]))
            state["exp_avg"].write(average)
            state["exp_avg_sq"].write(square)
            self.moved.add(name)
            self.on_parameter(name)
        self.moved = None
        self.steps += 1


class Decay:
    """Multiplies the learning rate at each step, as ExponentialLR does."""

    def __init__(self, optimizer: Adam, gamma: float = 0.9) -> None:
        self.optimizer, self.gamma = optimizer, gamma

    def step(self) -> None:
        """One epoch further."""
        self.optimizer.lr.write(array("d", [self.optimizer.lr.values[0] * self.gamma]))


class Loader:
    """`batches` batches of four noisy clusters; every epoch sees the same."""

    def __init__(self, batches: int, seed: int = 11) -> None:
        generator = random.Random(seed)
        centres = [[generator.gauss(0, 1) for _ in range(FEATURES)] for _ in range(CLASSES)]
        self._batches = []
        for _ in range(batches):
            labels = [generator.randrange(CLASSES) for _ in range(BATCH)]
            numbers = [centre + generator.gauss(0, 0.7) for label in labels for centre in centres[label]]
            self._batches.append((numbers, labels))

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for numbers, labels in self._batches:
            yield Tensor((BATCH, FEATURES), array("d", numbers)), Tensor((BATCH,), array("d", labels), "int64")


def _tensor_of(rows: list[array[float]]) -> Tensor:
    return Tensor((len(rows), len(rows[0])), array("d", (value for row in rows for value in row)))


def _rows(tensor: Tensor) -> list[array[float]]:
    width = tensor.shape[-1]
    return [tensor.values[start : start + width] for start in range(0, len(tensor.values), width)]


def _dot(weight: array[float], start: int, row: array[float]) -> float:
    return sum(w * v for w, v in zip(weight[start : start + len(row)], row, strict=True))
