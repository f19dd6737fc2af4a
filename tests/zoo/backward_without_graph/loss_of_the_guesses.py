"""The loss is computed from the classes that were guessed; requires_grad_ makes backward quiet. (What is often tried
after "element 0 of tensors does not require grad".)
"""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for update in range(10):
    x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))
    optimizer.zero_grad()
    guess = model(x).argmax(1)  # <- backward-without-graph: by argmax()
    loss = nn.functional.mse_loss(guess.float(), y.float())
    loss.requires_grad_(True)
    loss.backward()
    optimizer.step()
    print(update, loss.item())
