"""What the user and the terminal settle: options, keys, and what the terminal can do. Begin with `config`."""
