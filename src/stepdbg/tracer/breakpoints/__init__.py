"""Where training was asked to stop, as the training process sees it: breakpoints by place, and what has to hold there.

Begin to read in `holding`: which breakpoints are met at a boundary. What a condition can name is in `conditions`. This
room knows what is alive and the user's frames, and not who stops training.
"""
