"""Programs that differ in what is around the loop: loaders, artefacts, exceptions, threads, stepdbg's own names."""

from __future__ import annotations

from scripts.courses.course import FED, PLAIN, Course

DATA = {
    "loader_by_hand": Course(
        [FED, f"{FED} data", FED],
        names={"model.weight", "inputs"},
        epochs=[1, 2],
        lines={"data": "(inputs,) = next(batches)"},
    ),
    "infinite_batches": Course(
        [FED, f"{FED} data", FED, FED], names={"batch"}, epochs=[1, 2], lines={"data": "yield from loader"}
    ),
    "loaders_zipped": Course(
        ["data data zero_grad forward forward loss backward step"] * 2
        + ["data data zero_grad forward forward loss backward step data"],
        names={"model.weight", "u"},
        losses=["total"],
        epochs=[1],
    ),
    "workers_fork": Course([FED, f"{FED} data"] * 2, names={"model.weight", "x"}, epochs=[1, 2]),
    "workers_spawn": Course([FED, f"{FED} data"] * 2, names={"model.weight", "x"}, epochs=[1, 2]),
    "data_set_calls_a_model": Course([FED, f"{FED} data"], names={"model.weight", "features"}, epochs=[1]),
    "prefetched": Course([f"data {FED}", f"{FED} data", PLAIN], names={"batch"}, epochs=[1]),
}

BEHAVIOUR = {
    "artefacts": Course([PLAIN] * 3, names={"model.body.0.weight", "optimizer"}),
    "exceptions_caught": Course(
        [
            f"{PLAIN} forward",  # it raises, and nothing is learned from it: no update begins with it
            PLAIN,
            f"zero_grad forward loss backward backward step clip backward {PLAIN}",  # its loader feeds no training
        ],
    ),
    "exception_uncaught": Course([PLAIN, "zero_grad"], status=1),
    "exit_status": Course([PLAIN, PLAIN], status=3),
    "threads": Course([PLAIN] * 3, names={"model.weight"}, notices=("another thread of the script trains too",)),
    "generator_loop": Course(
        ["data zero_grad forward loss backward step log"] * 3,
        names={"model.weight", "y_hat"},
        lines={"forward": 'yield "forward"'},
    ),
    "phase_of_ones_own": Course([f"{PLAIN} ema"] * 3, lines={"ema": 'with stepdbg.phase("ema"):'}),
    "as_under_python": Course([PLAIN] * 2, names={"model.weight"}),
}
