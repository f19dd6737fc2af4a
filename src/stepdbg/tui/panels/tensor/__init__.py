"""One tensor: figures, numbers, heat map, image, and what of it changed."""
