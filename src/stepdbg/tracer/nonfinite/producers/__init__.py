"""What has made a NaN of finite numbers: the ways to find out, a file each.

`kept` is what is kept of a call for that; `replay` makes it again in a child of this process (`called_again`,
`backward_again`). `graph_producer`, `loss_section` and `stepped` read what a phase has left.
"""
