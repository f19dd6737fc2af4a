"""An unmodified script as a source of boundaries: hooks on the entry points of torch that every training loop calls.

What the hooks see is noted in the registry also while a generator loop is driven, when they make no boundaries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepdbg.tracer.patching import dynamo as compiler
from stepdbg.tracer.sources.backward import Backward
from stepdbg.tracer.sources.data import DataLoaders
from stepdbg.tracer.sources.forward import Models
from stepdbg.tracer.sources.updates.compiled_update import CompiledUpdates
from stepdbg.tracer.sources.updates.cuda_graphs import CudaGraphs
from stepdbg.tracer.sources.updates.optimizers import Optimizers
from stepdbg.tracer.sources.updates.unscale_and_clip import Gradients

if TYPE_CHECKING:
    from stepdbg.tracer.sources.sink import Sink


def install(tracer: Sink) -> None:
    """Hook everything."""
    models = Models(tracer)
    optimizers = Optimizers(tracer, models)
    gradients = Gradients(tracer, optimizers)
    optimizers.install()
    gradients.install()
    Backward(tracer, models, gradients).install()
    DataLoaders(tracer, models).install()
    CompiledUpdates(tracer).install()
    CudaGraphs(tracer).install()
    models.watch()
    compiler.leave_alone("stepdbg")
