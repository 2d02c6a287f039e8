"""Built-in mixers: one file a mixer, file stem = name."""
