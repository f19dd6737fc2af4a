"""Loops of several models or optimizers, likewise."""

from __future__ import annotations

from tracer.loop_of_an_author import GAN, LAZY, PLAIN, Loop

LOOPS_OF_SEVERAL = {
    "a GAN of two optimizers": Loop(
        """
        od, og = sgd(net), sgd(other)
        for i in range(3):
            od.zero_grad(); net(other(x).detach()).mean().backward(); od.step()
            og.zero_grad(); net(other(x)).mean().backward(); og.step()
        """,
        ["zero_grad forward forward loss backward step zero_grad forward forward loss backward step"] * 3,
    ),
    "three optimizers, one of them over both models": Loop(
        """
        og, od, oi = sgd(other), sgd(net), sgd(other, net)
        for i in range(4):
            og.zero_grad(); net(other(x)).mean().backward(); og.step()
            od.zero_grad(); net(x).mean().backward(); od.step()
            oi.zero_grad(); net(other(x)).mean().backward(); oi.step()
        """,
        [
            "zero_grad forward forward loss backward step zero_grad forward loss backward step"
            " zero_grad forward forward loss backward step"
        ]
        * 4,
    ),
    "a teacher, then its student, each in a method": Loop(
        """
        class Distiller:
            def __init__(self):
                self.teacher, self.student = sgd(net), sgd(other)
            def train_teacher(self):
                for epoch in range(1):
                    for a, b in data(): self.teacher.zero_grad(); net(a).mean().backward(); self.teacher.step()
            def train_student(self):
                for epoch in range(1):
                    for a, b in data(): self.student.zero_grad(); other(a).mean().backward(); self.student.step()
        distiller = Distiller()
        distiller.train_teacher()
        distiller.train_student()
        """,
        [f"data {PLAIN}", f"data {PLAIN} data"] * 2,
        (1,),
    ),
    "several steps of the critic to one of the generator": Loop(
        """
        od, og = sgd(net), sgd(other)
        for i in range(2):
            for k in range(3):
                od.zero_grad(); net(x).mean().backward(); od.step()
            og.zero_grad(); other(x).mean().backward(); og.step()
        """,
        [f"{PLAIN} {PLAIN} {PLAIN} {PLAIN}"] * 2,
    ),
    "several steps of each, the gradients cleared by the models": Loop(
        """
        od, og = sgd(net), sgd(other)
        for i in range(3):
            for k in range(2):
                net.zero_grad(); net(x).mean().backward(); od.step()
            for k in range(2):
                other.zero_grad(); other(x).mean().backward(); og.step()
        """,
        [f"{GAN} {GAN}"] * 3,
    ),
    "several steps of the critic, each with a batch of its own": Loop(
        """
        od, og = sgd(net), sgd(other)
        batches = itertools.cycle(data())
        for i in range(2):
            for k in range(2):
                a, b = next(batches)
                od.zero_grad(); net(a).mean().backward(); od.step()
            og.zero_grad(); other(x).mean().backward(); og.step()
        """,
        [f"data {PLAIN} data {PLAIN} {PLAIN} data", f"{PLAIN} {PLAIN} {PLAIN}"],
        (1,),
    ),
    "a batch for each of two models": Loop(
        """
        od, og = sgd(net), sgd(other)
        batches = iter(data(2))
        for i in range(2):
            a, b = next(batches)
            od.zero_grad(); net(a).mean().backward(); od.step()
            a, b = next(batches)
            og.zero_grad(); other(a).mean().backward(); og.step()
        """,
        [f"data {PLAIN} data {PLAIN}"] * 2,
        (1,),
    ),
    "an actor that steps every second round": Loop(
        """
        oc, oa = sgd(net), sgd(other)
        for i in range(4):
            net.zero_grad(); net(x).mean().backward(); oc.step()
            if i % 2:
                other.zero_grad(); other(x).mean().backward(); oa.step()
        """,
        [PLAIN, GAN] * 2,
    ),
    "an ensemble, one after the other in each round": Loop(
        """
        members = [nn.Linear(4, 1) for _ in range(2)]
        opts = [sgd(member) for member in members]
        for i in range(3):
            for member, opt in zip(members, opts):
                opt.zero_grad(); F.mse_loss(member(x), y).backward(); opt.step()
        """,
        [GAN] * 3,
    ),
    "an optimizer for each model, all at once": Loop(
        """
        opts = [sgd(net), sgd(other)]
        for i in range(3):
            for opt in opts:
                opt.zero_grad()
            net(other(x)).mean().backward()
            for opt in opts:
                opt.step()
        """,
        ["zero_grad zero_grad forward forward loss backward step step"] * 3,
    ),
    "two stages, both optimizers made beforehand": Loop(
        """
        first, second = sgd(net), sgd(other)
        for i in range(2):
            first.zero_grad(); net(x).mean().backward(); first.step()
        for i in range(2):
            second.zero_grad(); other(x).mean().backward(); second.step()
        """,
        [PLAIN] * 4,
    ),
    "a target without gradients between forwards": Loop(
        """
        opt = sgd(net)
        for i in range(2):
            action = other(x)
            with torch.no_grad():
                goal = net(x)
            loss = (net(x) - goal - 1).pow(2).mean()
            opt.zero_grad(); loss.backward(); opt.step()
        """,
        ["forward eval forward loss zero_grad backward step"] * 2,
    ),
    "evaluations of others between a forward and its loss": Loop(
        """
        opt = sgd(net)
        for i in range(3):
            with torch.no_grad():
                other(x)
            opt.zero_grad()
            predicted = net(x)
            with torch.no_grad():
                target = other(x).mean() + other(-x).mean()
            F.mse_loss(predicted, target.expand(8, 1)).backward()
            opt.step()
        """,
        [
            "eval zero_grad forward eval eval loss backward step eval",
            "zero_grad forward eval eval loss backward step eval",
            "zero_grad forward eval eval loss backward step",
        ],
    ),
    "optimizers that are made when they are first used": Loop(
        LAZY
        + """
        def train():
            loss = net(other(x).detach()).mean()
            config.critic.zero_grad()
            loss.backward()
            config.critic.step()
            loss = net(other(x)).mean()
            config.maker.zero_grad()
            loss.backward()
            config.maker.step()
        for i in range(3):
            train()
        """,
        ["forward forward loss zero_grad backward step forward forward loss zero_grad backward step"] * 3,
    ),
    "an optimizer that is made when a loop inside has trained another model": Loop(
        LAZY
        + """
        for i in range(3):
            for k in range(2):
                config.critic.zero_grad()
                net(x).mean().backward()
                config.critic.step()
            config.maker.zero_grad()
            other(x).mean().backward()
            config.maker.step()
        """,
        [f"{PLAIN} {PLAIN} {PLAIN}"] * 3,
    ),
}
