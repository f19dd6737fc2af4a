"""Which samples of a data set the rows of the newest batch are, as its loader's sampler has drawn them.

torch's own sampler of batches is a generator that waits with the indices of the newest one among its variables; they
are read there. With workers it is some batches ahead, and tells nothing.
"""

from __future__ import annotations

from types import GeneratorType
from typing import Any

from torch.utils.data.dataloader import _SingleProcessDataLoaderIter

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.safe_access import is_a

_VARIABLES = ("batch", "batch_droplast")


def samples_of(iterator: Any, rows: tuple[int, ...]) -> tuple[int, ...]:
    """The samples that these rows are; empty where the loader does not tell."""
    if not is_a(iterator, _SingleProcessDataLoaderIter):
        return ()
    drawn = vars(iterator).get("_sampler_iter")
    if type(drawn) is not GeneratorType or drawn.gi_frame is None or drawn.gi_code.co_name != "__iter__":
        return ()
    variables = frames.local_variables(drawn.gi_frame)
    batch: Any = next((variables[name] for name in _VARIABLES if name in variables), None)
    if type(batch) not in (list, tuple) or not all(type(one) is int for one in batch):
        return ()
    return tuple(batch[row] for row in rows) if all(row < len(batch) for row in rows) else ()
