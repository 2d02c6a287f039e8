"""The engine: members in, trajectories out. Knows no file, score or board."""
