"""What grows while a script runs, each as one frozen value: its output, its losses, what was typed into the console and
where its phases were seen to begin. Nothing here knows the rest of the snapshot; begin with `transcript`.
"""
