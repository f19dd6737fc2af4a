"""What is told to those who are new: the guide of a first run, and hints. Begin with `guide`."""
