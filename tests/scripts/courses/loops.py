"""Programs that differ in their loop: zero_grad, forwards, losses, evaluation."""

from __future__ import annotations

from scripts.courses.course import FED, PLAIN, Course

ZERO_GRAD = {
    "zero_grad_first": Course(
        [PLAIN] * 3,
        names={"model.0.weight", "model.1.running_mean", "y_hat", "optimizer", "loss"},
        lines={
            "zero_grad": "optimizer.zero_grad(set_to_none=update == 2)",
            "forward": "y_hat = model(x)",
            "loss": "y_hat = model(x)",
            "backward": "loss.backward()",
            "step": "optimizer.step()",
        },
        effects={
            "forward": {"model.1.running_mean", "y_hat"},
            "backward": {"model.0.weight.grad", "model.3.bias.grad"},
            "step": {"model.0.weight", "optimizer.state[model.0.weight].momentum_buffer"},
        },
    ),
    "zero_grad_before_backward": Course(
        ["forward loss zero_grad backward step"] * 3, names={"net.0.weight", "opt", "outputs"}
    ),
    "zero_grad_after_step": Course(["forward loss backward step zero_grad"] * 3, names={"prediction"}),
    "zero_grad_by_the_model": Course([PLAIN, PLAIN, f"zero_grad {PLAIN}", f"zero_grad {PLAIN}"]),
    "zero_grad_overridden": Course([PLAIN] * 4, names={"net.fc.weight", "optimizer"}),
}

FORWARD = {
    "models_in_a_row": Course(
        ["zero_grad forward forward forward loss backward step"] * 3,
        names={"encoder.0.weight", "head.weight", "decoder.bias", "rebuilt"},
        lines={"backward": "(classification + 0.5 * reconstruction).backward()"},
    ),
    "contrastive": Course(
        ["forward forward loss zero_grad backward step"] * 3, names={"encoder.0.weight"}, losses=["info_nce"]
    ),
    "episodes": Course(
        ["forward " * 50 + "loss zero_grad backward step"] * 2,
        names={"policy.0.weight", "policy_loss"},
        losses=["policy_loss"],
        lines={"forward": "choice = Categorical(policy(state))"},
    ),
    "wrapped_models": Course([PLAIN] * 3, names={"model.module.module.0.weight", "out"}),
    "averaged_model": Course(
        [FED, f"{FED} data scheduler", FED, f"{FED} data scheduler eval eval eval"],
        names={"model.0.weight", "swa_model.module.0.weight", "optimizer"},
        epochs=[1, 2],
    ),
    "compiled_aot_eager": Course([PLAIN] * 3, names={"model.0.weight", "y_hat"}),
    "compiled_inductor": Course([PLAIN] * 3, names={"model.0.weight", "y_hat"}),
    "compiled_update": Course(
        ["zero_grad backward step"] * 3,
        names={"model.0.weight"},
        notices=("forward cannot be seen: torch.compile runs forward_and_loss as one",),
    ),
    "compiled_step": Course([PLAIN] * 3, names={"model.weight", "optimizer"}),
    "modules_that_are_no_models": Course([FED, f"{FED} data"], names={"model.weight", "labels"}, epochs=[1]),
}

LOSS = {
    "losses_of_any_make": Course(
        [PLAIN, PLAIN, PLAIN, "zero_grad forward backward step"],
        names={"model.fc.weight"},
        losses=["loss", "functional_loss", "cost", "returned"],
    ),
    "losses_several": Course(
        ["zero_grad forward loss backward backward step"] * 3,
        names={"scores"},
        losses=["fit_loss", "sparsity"],
    ),
    "accumulation": Course(
        [
            "data forward loss backward data forward loss backward step zero_grad",
            "data forward loss backward data forward loss backward step zero_grad data",
        ],
        names={"prediction", "inputs", "targets"},
        epochs=[1],
    ),
    "dpo": Course(
        ["zero_grad forward forward eval eval loss backward step"] * 3,
        names={"policy.0.weight", "reference.0.weight"},
        losses=["dpo_loss"],
    ),
}

EVALUATION = {
    "evaluations": Course(
        [
            FED,
            f"{FED} data eval eval eval forward loss",
            FED,
            f"{FED} data eval eval eval forward",
        ],
        epochs=[1, 2],
    ),
}

AUTOGRAD = {
    "adjoint": Course(["zero_grad " + "eval " * 50 + "backward step"] * 2, names={"field.0.weight"}),
    "gradient_penalty": Course(
        ["zero_grad forward forward forward backward loss backward step"] * 3,
        names={"critic.0.weight"},
        losses=["critic_loss"],
        lines={"backward": "critic_loss.backward()"},
    ),
    "maml": Course(
        ["zero_grad forward loss backward forward loss backward step"] * 3,
        names={"learner.0.weight", "meta_optimizer"},
        losses=["inner_loss", "meta_loss"],
    ),
}
