"""The script's source at the chosen frame, and the variables of it."""
