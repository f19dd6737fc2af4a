"""Loops of one model and one optimizer, with the phases of each update and the epochs as their authors tell them."""

from __future__ import annotations

from tracer.loop_of_an_author import HAND, PLAIN, Loop

LOOPS = {
    "zero_grad comes last": Loop(
        """
        opt = sgd(net)
        for i in range(3):
            F.mse_loss(net(x), y).backward()
            opt.step()
            opt.zero_grad()
        """,
        ["forward loss backward step zero_grad"] * 3,
    ),
    "zero_grad before the loop as well as last in it": Loop(
        """
        opt = sgd(net)
        opt.zero_grad()
        for i in range(3):
            F.mse_loss(net(x), y).backward()
            opt.step()
            opt.zero_grad()
        """,
        [f"{PLAIN} zero_grad", "forward loss backward step zero_grad", "forward loss backward step zero_grad"],
    ),
    "a scheduler after the last zero_grad": Loop(
        """
        opt = sgd(net)
        sched = optim.lr_scheduler.StepLR(opt, 1)
        for i in range(3):
            F.mse_loss(net(x), y).backward()
            opt.step()
            net.zero_grad()
            sched.step()
        """,
        ["forward loss backward step zero_grad scheduler"] * 3,
    ),
    "accumulation over a loader, a scheduler for each micro-batch": Loop(
        """
        opt = sgd(net)
        sched = optim.lr_scheduler.StepLR(opt, 1)
        for i, (a, b) in enumerate(data(2)):
            F.mse_loss(net(a), b).backward()
            if i % 2:
                opt.step()
                opt.zero_grad()
            sched.step()
        """,
        [
            "data forward loss backward scheduler data forward loss backward step zero_grad scheduler",
            "data forward loss backward scheduler data forward loss backward step zero_grad scheduler data",
        ],
        (1,),
    ),
    "accumulation in a loop inside": Loop(
        """
        opt = sgd(net)
        for i in range(2):
            opt.zero_grad()
            for k in range(3):
                (F.mse_loss(net(x), y) / 3).backward()
            opt.step()
        """,
        ["zero_grad forward loss backward forward loss backward forward loss backward step"] * 2,
    ),
    "a round in a function": Loop(
        """
        opt = sgd(net)
        def train_step(a, b):
            opt.zero_grad()
            loss = F.mse_loss(net(a), b)
            loss.backward()
            opt.step()
            return loss.item()
        for i in range(3):
            train_step(x, y)
        """,
        [PLAIN] * 3,
    ),
    "rounds that differ by a branch": Loop(
        """
        opt = sgd(net)
        for i in range(4):
            if i % 2:
                opt.zero_grad()
                net(x).pow(2).mean().backward()
                opt.step()
            else:
                opt.zero_grad()
                net(x).abs().mean().backward()
                opt.step()
        """,
        [PLAIN] * 4,
    ),
    "a new loader over new data in each epoch": Loop(
        """
        opt = sgd(net)
        def loader():
            return DataLoader(TensorDataset(x[torch.randperm(8)], y), batch_size=8)
        for fold in range(2):
            for epoch in range(2):
                for a, b in loader():
                    opt.zero_grad()
                    F.mse_loss(net(a), b).backward()
                    opt.step()
                with torch.no_grad():
                    for a, b in loader():
                        net(a)
        """,
        [f"data {PLAIN} data eval"] * 4,
        (1, 2),
    ),
    "several loaders over new data in each epoch, of many lines": Loop(
        """
        opt = sgd(net)
        for epoch in range(2):
            for task in range(2):
                for a, b in DataLoader(TensorDataset(x + task, y), batch_size=8):
                    opt.zero_grad()
                    F.mse_loss(net(a), b).backward()
                    opt.step()
"""
        + "            task = task * 2 + 7 * 3 - task // 5\n" * 200,
        [f"data {PLAIN} data"] * 4,
        (1, 2),
    ),
    "a while loop that fetches in its condition": Loop(
        """
        opt = sgd(net)
        batches = iter(data())
        while (batch := next(batches, None)) is not None:
            opt.zero_grad()
            F.mse_loss(net(batch[0]), batch[1]).backward()
            opt.step()
        """,
        [f"data {PLAIN}", f"data {PLAIN} data"],
        (1,),
    ),
    "no loop at all": Loop(
        """
        opt = sgd(net)
        opt.zero_grad(); net(x).sum().backward(); opt.step()
        opt.zero_grad(); net(x).sum().backward(); opt.step()
        """,
        [PLAIN] * 2,
    ),
    "two steps of one optimizer in each round": Loop(
        """
        opt = sgd(net)
        for i in range(2):
            opt.zero_grad(); net(x).mean().backward(); opt.step()
            opt.zero_grad(); net(-x).mean().backward(); opt.step()
        """,
        [PLAIN] * 4,
    ),
    "layer after layer, with an optimizer for each": Loop(
        """
        layers = [nn.Linear(4, 4) for _ in range(2)]
        opts = [sgd(layer) for layer in layers]
        for layer, opt in zip(layers, opts):
            for i in range(2):
                loss = layer(x).pow(2).mean()
                layer.zero_grad(); loss.backward(); opt.step()
        """,
        ["forward loss zero_grad backward step"] * 4,
    ),
    "an evaluation with gradients on after each epoch": Loop(
        """
        opt = sgd(net)
        train, test = data(), data(8)
        for epoch in range(2):
            for a, b in train:
                opt.zero_grad(); F.mse_loss(net(a), b).backward(); opt.step()
            for a, b in test:
                F.mse_loss(net(a), b).item()
        """,
        [f"data {PLAIN}", f"data {PLAIN} data forward loss", f"data {PLAIN}", f"data {PLAIN} data forward"],
        (1, 2),
    ),
    "a batch is looked at before training": Loop(
        """
        opt = sgd(net)
        train = data()
        shape = next(iter(train))[0].shape
        for epoch in range(2):
            for a, b in train:
                opt.zero_grad(); F.mse_loss(net(a), b).backward(); opt.step()
        """,
        [f"data data {PLAIN}", f"data {PLAIN} data", f"data {PLAIN}", f"data {PLAIN} data"],
        (1, 2),
    ),
    "a model is tried with a batch before training": Loop(
        """
        opt = sgd(net)
        train = data()
        net(next(iter(train))[0])
        for epoch in range(2):
            for a, b in train:
                opt.zero_grad(); F.mse_loss(net(a), b).backward(); opt.step()
        """,
        [f"data forward data {PLAIN}", f"data {PLAIN} data", f"data {PLAIN}", f"data {PLAIN} data"],
        (1, 2),
    ),
    "all batches are looked at before training": Loop(
        """
        opt = sgd(net)
        train = data()
        mean = sum(a.sum() for a, _ in train) / 32
        for epoch in range(2):
            for a, b in train:
                opt.zero_grad(); F.mse_loss(net(a - mean), b).backward(); opt.step()
        """,
        [f"data data data data {PLAIN}", f"data {PLAIN} data", f"data {PLAIN}", f"data {PLAIN} data"],
        (1, 2),
    ),
    "all of the data are looked at before training, with a loader of its own": Loop(
        """
        opt = sgd(net)
        points = TensorDataset(x, y)
        train = DataLoader(points, 4, shuffle=True)
        mean = torch.cat([a for a, _ in DataLoader(points, 8)]).mean()
        for epoch in range(2):
            for a, b in train:
                opt.zero_grad(); F.mse_loss(net(a - mean), b).backward(); opt.step()
        """,
        [f"data data data {PLAIN}", f"data {PLAIN} data", f"data {PLAIN}", f"data {PLAIN} data"],
        (1, 2),
    ),
    "after each step a forward from which nothing is learned": Loop(
        """
        opt = sgd(net)
        train, test = data(), data(8)
        for epoch in range(2):
            for a, b in train:
                opt.zero_grad(); F.mse_loss(net(a), b).backward(); opt.step()
                net(a)
            with torch.no_grad():
                for a, b in test:
                    net(a)
        """,
        [f"data {PLAIN} forward", f"data {PLAIN} forward data eval"] * 2,
        (1, 2),
    ),
    "a second loader over the same data to evaluate with": Loop(
        """
        opt = sgd(net)
        for i, (a, b) in enumerate(data()):
            loss = F.mse_loss(net(a), b)
            opt.zero_grad(); loss.backward(); opt.step()
            if i == 0:
                net.eval()
                with torch.no_grad():
                    for a, b in data(8):
                        net(a)
                net.train()
        """,
        ["data forward loss zero_grad backward step eval", "data forward loss zero_grad backward step data"],
        (1,),
    ),
    "the training data are evaluated before training, with a loader of its own": Loop(
        """
        opt = sgd(net)
        points = TensorDataset(x, y)
        train, test = DataLoader(points, 4, shuffle=True), DataLoader(points, 4)
        for a, b in test:
            with torch.no_grad(): net(a)
        for epoch in range(2):
            for a, b in train:
                opt.zero_grad(); F.mse_loss(net(a), b).backward(); opt.step()
            for a, b in test:
                with torch.no_grad(): net(a)
        """,
        [
            f"data eval eval data {PLAIN}",
            f"data {PLAIN} data eval eval",
            f"data {PLAIN}",
            f"data {PLAIN} data eval eval",
        ],
        (1, 2),
    ),
    "an evaluation of the part that a wrapper trains": Loop(
        """
        class Task(nn.Module):
            def __init__(self):
                super().__init__(); self.model = net
            def forward(self, x): return self.model(x).pow(2).mean()
        task = Task()
        opt = sgd(task)
        for epoch in range(2):
            for i in range(3):
                opt.zero_grad(); task(x).backward(); opt.step()
            with torch.no_grad():
                net(x)
        """,
        ["zero_grad forward backward step"] * 2
        + ["zero_grad forward backward step eval"]
        + ["zero_grad forward backward step"] * 2
        + ["zero_grad forward backward step eval"],
    ),
    "rollouts without gradients, then several epochs over them": Loop(
        """
        opt = sgd(net)
        for i in range(2):
            with torch.no_grad():
                for t in range(2):
                    net(x)
            for k in range(2):
                opt.zero_grad(); net(x).mean().backward(); opt.step()
        """,
        [f"eval eval {PLAIN}", f"{PLAIN} eval eval", PLAIN, PLAIN],
    ),
    "weights that are computed are read outside of forward": Loop(
        """
        normed = nn.utils.parametrizations.weight_norm(net)
        opt = sgd(normed)
        for i in range(3):
            opt.zero_grad(); normed(x).mean().backward(); opt.step()
            normed.weight.norm().item()
        """,
        [PLAIN] * 3,
    ),
    "inner steps by torch.func and autograd.grad": Loop(
        """
        opt = sgd(net)
        for i in range(2):
            opt.zero_grad()
            fast = dict(net.named_parameters())
            inner = torch.func.functional_call(net, fast, (x,)).pow(2).mean()
            grads = torch.autograd.grad(inner, list(fast.values()), create_graph=True)
            fast = {n: p - 0.1 * g for (n, p), g in zip(fast.items(), grads)}
            torch.func.functional_call(net, fast, (x,)).pow(2).mean().backward()
            opt.step()
        """,
        ["zero_grad forward loss backward forward loss backward step"] * 2,
    ),
    "a closure": Loop(
        """
        opt = optim.LBFGS(net.parameters(), max_iter=1)
        def closure():
            opt.zero_grad()
            loss = F.mse_loss(net(x), y)
            loss.backward()
            return loss
        for i in range(2):
            opt.step(closure)
        """,
        ["step>zero_grad step>forward step>loss step>backward step>step step"] * 2,
    ),
    "a step of what is no optimizer, in and after a loop of updates": Loop(
        """
        class Average:
            def step(self): pass
        opt, average = sgd(net), Average()
        for epoch in range(2):
            for i in range(2):
                opt.zero_grad()
                F.mse_loss(net(x), y).backward()
                opt.step()
                average.step()
            average.step()
            with torch.no_grad():
                net(x)
        """,
        [PLAIN, f"{PLAIN} eval"] * 2,
    ),
    "a step of what is no optimizer between two updates of one": Loop(
        """
        class World:
            def step(self): pass
        opt, world = sgd(net), World()
        for i in range(2):
            F.mse_loss(net(x), y).backward()
            opt.step()
            world.step()
            F.mse_loss(net(x), y).backward()
            opt.step()
        """,
        [HAND] * 4,
    ),
    "an optimizer over a bare tensor, where backward opens the update": Loop(
        """
        w = torch.zeros(4, 1, requires_grad=True)
        opt = optim.SGD([w], lr=0.01)
        for i in range(9):
            loss = F.mse_loss(x @ w, y)
            (loss / 2).backward()
            opt.step()
            opt.zero_grad()
        """,
        ["backward step zero_grad"] * 9,
    ),
    "by hand, of tensors of the user's own": Loop(
        """
        w1, w2 = torch.randn(4, 3, requires_grad=True), torch.randn(3, 1, requires_grad=True)
        for i in range(3):
            ((x @ w1).relu() @ w2 - y).pow(2).mean().backward()
            with torch.no_grad():
                for w in (w1, w2):
                    w -= 0.1 * w.grad
                    w.grad.zero_()
        """,
        ["backward step"] * 3,
    ),
    "by hand, behind a clip and through .data": Loop(
        """
        for i in range(3):
            net.zero_grad()
            F.mse_loss(net(x), y).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            for p in net.parameters():
                p.data.add_(p.grad, alpha=-0.1)
        """,
        ["zero_grad forward loss backward clip step"] * 3,
    ),
    "by hand, after accumulation": Loop(
        """
        for i in range(2):
            net.zero_grad()
            for k in range(2):
                F.mse_loss(net(x), y).backward()
            with torch.no_grad():
                for p in net.parameters():
                    p.copy_(p - 0.1 * p.grad)
        """,
        ["zero_grad forward loss backward forward loss backward step"] * 2,
    ),
    "by hand, all at once and by other storage": Loop(
        """
        for i in range(4):
            net.zero_grad()
            F.mse_loss(net(x), y).backward()
            parameters = list(net.parameters())
            if i % 2:
                with torch.no_grad():
                    torch._foreach_add_(parameters, [p.grad for p in parameters], alpha=-0.1)
            else:
                for p in parameters:
                    p.data = p.data - 0.1 * p.grad
        """,
        [PLAIN] * 4,
    ),
    "by hand, with a new tensor for each step": Loop(
        """
        w = torch.randn(4, 1, requires_grad=True)
        for i in range(3):
            (x @ w - y).pow(2).mean().backward()
            w = (w - 0.1 * w.grad).detach().requires_grad_()
        """,
        ["backward step"] * 3,
    ),
    "by hand, with a new dictionary for each step of a functional model": Loop(
        """
        params = {k: v.detach().clone().requires_grad_() for k, v in net.named_parameters()}
        for i in range(3):
            loss = F.mse_loss(torch.func.functional_call(net, params, (x,)), y)
            grads = torch.autograd.grad(loss, list(params.values()))
            params = {k: (p - 0.1 * g).detach().requires_grad_() for (k, p), g in zip(params.items(), grads)}
        """,
        [HAND] * 3,
    ),
    "by hand, by an optimizer class that is none of torch's": Loop(
        """
        class Descent:
            def __init__(self, params): self.params = list(params)
            def zero_grad(self):
                for p in self.params: p.grad = None
            @torch.no_grad()
            def step(self):
                for p in self.params: p.sub_(0.1 * p.grad)
        opt = Descent(net.parameters())
        for i in range(3):
            F.mse_loss(net(x), y).backward()
            opt.step()
            opt.zero_grad()
        """,
        [HAND] * 3,
    ),
    "gradients looked at, and nothing trained": Loop(
        """
        for i in range(3):
            image = torch.randn(1, 4, requires_grad=True)
            net(image).sum().backward()
            image.grad.abs().max()
        """,
        ["forward loss backward forward loss backward forward loss backward"],
    ),
}
