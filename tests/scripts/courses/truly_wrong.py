"""What the rules find in these programs, and is so: by program the names of the rules, each with why it is true."""

TRULY_WRONG: dict[str, dict[str, str]] = {}
