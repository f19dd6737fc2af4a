"""Groups, hyperparameters and state of the optimizers, and what the next step would do."""
