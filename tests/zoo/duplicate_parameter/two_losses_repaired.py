"""An adversarial autoencoder: two optimizers hold the encoder, each with a loss of its own. This is as it should be."""

import itertools

import torch
from torch import nn

torch.manual_seed(0)
encoder, decoder, critic = nn.Linear(6, 2), nn.Linear(2, 6), nn.Linear(2, 1)
opt_auto = torch.optim.Adam(itertools.chain(encoder.parameters(), decoder.parameters()), lr=1e-3)
opt_critic = torch.optim.Adam(critic.parameters(), lr=1e-3)
opt_fool = torch.optim.Adam(encoder.parameters(), lr=1e-3)
cross_entropy = nn.functional.binary_cross_entropy_with_logits
for _ in range(25):
    x = torch.randn(32, 6)
    loss = (decoder(encoder(x)) - x).square().mean()
    opt_auto.zero_grad()
    loss.backward()
    opt_auto.step()

    real, fake = critic(torch.randn(32, 2)), critic(encoder(x).detach())
    critic_loss = cross_entropy(real, torch.ones(32, 1)) + cross_entropy(fake, torch.zeros(32, 1))
    opt_critic.zero_grad()
    critic_loss.backward()
    opt_critic.step()

    fool_loss = cross_entropy(critic(encoder(x)), torch.ones(32, 1))
    opt_fool.zero_grad()
    fool_loss.backward()
    opt_fool.step()
