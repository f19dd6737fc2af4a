"""The Textual app: what the hub tells, drawn; what the user presses, sent.

Data flows one way: a message of the hub is reduced into a frozen `Snapshot`, pure functions in `views` turn the
snapshot into lines, and a widget draws those. Nothing here imports torch or numpy.
"""
