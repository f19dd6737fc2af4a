"""The masks of a segmentation are read from pictures: they are 0 and 255, and the loss takes 0 and 1."""

import torch
from torch import nn

torch.manual_seed(0)
pictures = torch.randn(32, 1, 8, 8)
masks = (pictures > 0).to(torch.uint8) * 255
segmenter = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1))
optimizer = torch.optim.Adam(segmenter.parameters(), lr=1e-3)
for step in range(20):
    picture, mask = pictures[step % 4 :: 4], masks[step % 4 :: 4].float()
    optimizer.zero_grad()
    loss = nn.functional.binary_cross_entropy_with_logits(segmenter(picture), mask)
    loss.backward()  # <- input-scale: binary_cross_entropy_with_logits is given labels from 0 to 255
    optimizer.step()
