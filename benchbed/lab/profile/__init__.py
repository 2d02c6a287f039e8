"""What a mixer costs, measured where it runs."""
