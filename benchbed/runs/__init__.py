"""One run as a whole, from its config to its folder. Knows no terminal and no board."""
