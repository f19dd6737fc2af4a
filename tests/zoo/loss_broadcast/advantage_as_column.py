"""A policy gradient: log-probabilities are a row, advantages a column, and each action gets everybody's advantage."""

import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
critic = nn.Linear(4, 1)
optimizer = torch.optim.Adam([*policy.parameters(), *critic.parameters()], lr=1e-3)
for _ in range(20):
    observations = torch.randn(12, 4)
    actions = torch.randint(2, (12,))
    returns = torch.randn(12, 1)
    values = critic(observations)
    log_probs = Categorical(logits=policy(observations)).log_prob(actions)
    advantages = (returns - values).detach()
    policy_loss = -(log_probs * advantages).mean()  # <- loss-broadcast: advantages of shape [12, 1]
    value_loss = nn.functional.mse_loss(values, returns)
    loss = policy_loss + 0.5 * value_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
