"""Runs over a grid of options, and one tidy table of all their seeds."""
