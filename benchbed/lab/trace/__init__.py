"""How a mixer finds a pattern: weights over time, jumps, maps, and patterns exchanged."""
