"""Direct preference optimisation: a frozen reference runs under no_grad between forward and backward."""

import copy

import torch
from digest import report
from torch import nn

torch.manual_seed(38)
policy = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 10))
reference = copy.deepcopy(policy).eval()
optimizer = torch.optim.AdamW(policy.parameters(), lr=0.01)


def log_probability(model, tokens):
    scores = model(tokens[:, :-1]).log_softmax(-1)
    return scores.gather(2, tokens[:, 1:, None]).sum((1, 2))


for i in range(3):
    chosen, rejected = torch.randint(0, 10, (3, 5)), torch.randint(0, 10, (3, 5))
    optimizer.zero_grad()
    margin = log_probability(policy, chosen) - log_probability(policy, rejected)
    with torch.no_grad():
        reference_margin = log_probability(reference, chosen) - log_probability(reference, rejected)
    dpo_loss = -nn.functional.logsigmoid(0.1 * (margin - reference_margin)).mean()
    dpo_loss.backward()
    optimizer.step()
    print(i, dpo_loss.item())

report(policy, reference, optimizer)
