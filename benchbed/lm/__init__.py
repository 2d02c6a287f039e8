"""Language models: at which step of its training each seed gains a capability, and which heads carry it."""
