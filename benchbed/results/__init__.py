"""From trajectories to numbers and files. Never imports torch."""
