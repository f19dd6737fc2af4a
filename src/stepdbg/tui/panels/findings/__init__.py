"""What the rules have found, each with its evidence, cause and fix."""
