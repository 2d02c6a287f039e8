"""One training step of a group: the members' forward, the optimiser, and the step as one recorded graph."""
