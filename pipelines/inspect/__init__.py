"""``inspect``: what a file holds and what made it."""
