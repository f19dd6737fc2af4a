"""What is noted of loaders and the batches that come from them."""
