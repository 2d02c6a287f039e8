"""What a person sees of a run. Computes no number."""
