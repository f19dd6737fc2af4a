"""Where training was asked to stop, as the training process sees it: breakpoints by phase. Begin with `phases`."""
