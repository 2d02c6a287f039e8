"""Built-in capabilities: one file, one class each."""
