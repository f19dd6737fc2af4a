"""Programs that differ in how parameters are moved: closures, scalers, schedulers, optimizers, by hand."""

from __future__ import annotations

from scripts.courses.course import CLOSURE, FED, PLAIN, Course

CLOSURES_AND_AMP = {
    "lbfgs": Course([f"{CLOSURE} {CLOSURE} step"] * 2, names={"model.weight"}),
    "closure_called_to_log": Course(
        [f"{CLOSURE} step", f"zero_grad forward loss backward {CLOSURE} step", "zero_grad forward loss backward"],
        lines={"step": "optimizer.step(closure)", "zero_grad": "optimizer.zero_grad()"},
    ),
    "autocast_scaler_off": Course([PLAIN] * 3, names={"out"}),
    "scaler_skips_a_step": Course(
        [
            "zero_grad forward loss backward unscale clip step",
            "zero_grad forward loss backward unscale clip step(skipped)",
            "zero_grad forward loss backward unscale clip step",
        ],
        lines={"unscale": "scaler.unscale_(optimizer)", "clip": "nn.utils.clip_grad_norm_(model.parameters(), 1.0)"},
        effects={"unscale": {"model.weight.grad"}},
    ),
    "clip_value": Course(["zero_grad forward loss backward clip step"] * 3, effects={"clip": {"model.weight.grad"}}),
}

SCHEDULER = {
    "every_scheduler": Course([f"{PLAIN} scheduler"] * 32, names={"model.weight", "optimizer"}),
    "schedulers_per_batch_and_epoch": Course(
        [
            f"{FED} scheduler",
            f"{FED} scheduler data eval eval scheduler",
            f"{FED} scheduler",
            f"{FED} scheduler data eval eval scheduler",
        ],
        epochs=[1, 2],
        effects={"scheduler": {"optimizer.param_groups[0]['lr']"}},
    ),
    "lr_by_hand": Course([PLAIN] * 3, effects={"step": {"model.weight", "optimizer.param_groups[0]['lr']"}}),
    "scheduler_too_early": Course([f"scheduler {PLAIN} scheduler", f"{PLAIN} scheduler"]),
}

BY_HAND = {
    "moved_through_data": Course([PLAIN] * 3, names={"model.0.weight", "y_hat"}),
    "moved_under_no_grad": Course(
        ["forward loss backward step"] * 3, names={"model.weight", "prediction"}, losses=["error"]
    ),
    "tensors_only": Course(["zero_grad backward step"] * 3, losses=["mse"]),
    "ema_by_hand": Course([f"{PLAIN} eval"] * 3, names={"model.0.weight", "ema.0.weight"}),
}

OPTIMIZER = {
    "lion": Course([PLAIN] * 3, names={"lion", "model.weight"}, lines={"step": "lion.step()"}),
    "step_of_the_base": Course([PLAIN] * 3, names={"model.weight", "optimizer"}),
    "sam": Course(
        ["forward loss backward zero_grad forward loss backward step zero_grad"] * 3,
        losses=["loss", "second_loss"],
    ),
    "optimizer_again": Course([PLAIN] * 4, names={"model.weight", "optimizer"}),
    "folds": Course([PLAIN, f"{PLAIN} eval"] * 3, names={"model.weight", "optimizer"}),
    "steps_within_backward": Course(
        ["forward loss backward>step backward>zero_grad backward>step backward>zero_grad backward"] * 3,
        names={"model.0.weight", "model.2.weight"},
    ),
    "optimizer_per_layer": Course(["zero_grad zero_grad forward loss backward step step"] * 3),
    "gan": Course(
        ["zero_grad forward loss backward forward forward loss backward step zero_grad forward loss backward step"] * 3,
        names={"netD.0.weight", "netG.2.bias", "optimizerD", "optimizerG", "fake"},
        losses=["errD_real", "errD_fake", "errG"],
    ),
    "gan_zeroes_both": Course(
        [
            "data eval forward forward loss zero_grad zero_grad backward step"
            " forward forward loss zero_grad zero_grad backward step",
            "data eval forward forward loss zero_grad zero_grad backward step"
            " forward forward loss zero_grad zero_grad backward step data",
        ]
        * 2,
        names={"generator.weight", "discriminator.weight", "d_optimizer", "g_optimizer", "real"},
        losses=["d_loss", "g_loss"],
        epochs=[1, 2],
    ),
    "delayed_actor": Course(
        [
            "zero_grad eval eval forward loss backward step",
            "zero_grad eval eval forward loss backward step zero_grad forward forward loss backward step",
        ]
        * 2,
        names={"actor.0.weight", "critic.0.weight", "actor_optimizer", "critic_optimizer"},
        losses=["critic_loss", "actor_loss"],
    ),
    "wrapped_optimizer": Course([PLAIN] * 3, names={"model.weight", "optimizer"}),
}
