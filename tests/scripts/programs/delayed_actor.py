"""TD3's order: the critic steps every round, the actor every second one; the target is computed under no_grad."""

import copy

import torch
from digest import report
from torch import nn

torch.manual_seed(36)
actor = nn.Sequential(nn.Linear(4, 2), nn.Tanh())
critic = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
target_critic = copy.deepcopy(critic)
actor_optimizer = torch.optim.Adam(actor.parameters(), lr=0.01)
critic_optimizer = torch.optim.Adam(critic.parameters(), lr=0.01)

for i in range(1, 5):
    state, action, reward, following = torch.randn(5, 4), torch.randn(5, 2), torch.randn(5, 1), torch.randn(5, 4)
    critic_optimizer.zero_grad()
    with torch.no_grad():
        target = reward + 0.9 * target_critic(torch.cat([following, actor(following)], 1))
    critic_loss = nn.functional.mse_loss(critic(torch.cat([state, action], 1)), target)
    critic_loss.backward()
    critic_optimizer.step()
    if i % 2 == 0:
        actor_optimizer.zero_grad()
        actor_loss = -critic(torch.cat([state, actor(state)], 1)).mean()
        actor_loss.backward()
        actor_optimizer.step()
        for kept, new in zip(target_critic.parameters(), critic.parameters(), strict=True):
            kept.data.mul_(0.9).add_(0.1 * new.data)
    print(i, critic_loss.item())

report(actor, critic, target_critic, actor_optimizer, critic_optimizer)
