"""What is run: tracks, requests, and the one frozen object that a run's identity is the hash of. Trains nothing."""
