"""What can be wrong with a training run, looked for from boundary to boundary.

Begin to read in `engine`: which rules there are, and what becomes of what they find. A rule is one file in `rules`,
found by its folder; `moment` is what a rule sees at a boundary, `loss_graph` what backward is about to go through. The
room knows the effects of phases and what is alive, and not who stops or tells.
"""
