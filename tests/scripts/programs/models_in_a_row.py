"""Three models with no common root, called in a row, with code of one's own in between."""

import torch
from digest import report
from torch import nn

torch.manual_seed(5)
encoder = nn.Sequential(nn.Linear(6, 4), nn.ReLU())
head = nn.Linear(4, 3)
decoder = nn.Linear(4, 6)
optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters(), *decoder.parameters()], lr=0.01)
x = torch.randn(9, 6)
y = torch.randint(0, 3, (9,))

for step in range(3):
    optimizer.zero_grad()
    code = encoder(x)
    code = code / code.norm(dim=1, keepdim=True).clamp_min(1e-3)
    logits = head(code)
    rebuilt = decoder(code)
    classification = nn.functional.cross_entropy(logits, y)
    reconstruction = nn.functional.mse_loss(rebuilt, x)
    (classification + 0.5 * reconstruction).backward()
    optimizer.step()
    print(step, classification.item(), reconstruction.item())

report(encoder, head, decoder, optimizer)
