"""REINFORCE: fifty forwards of the policy per episode, one backward."""

import torch
from digest import report
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(7)
policy = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2), nn.Softmax(dim=-1))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)


def play():
    state, log_probs, rewards = torch.randn(4), [], []
    for _ in range(50):
        choice = Categorical(policy(state))
        action = choice.sample()
        log_probs.append(choice.log_prob(action))
        rewards.append(1.0 if action.item() == int(state[0] > 0) else -1.0)
        state = torch.randn(4)
    return torch.stack(log_probs), torch.tensor(rewards)


for episode in range(2):
    log_probs, rewards = play()
    returns = rewards.flip(0).cumsum(0).flip(0)
    policy_loss = -(log_probs * returns).mean()
    optimizer.zero_grad()
    policy_loss.backward()
    optimizer.step()
    print(episode, rewards.sum().item())

report(policy, optimizer)
