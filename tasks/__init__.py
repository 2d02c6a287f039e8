"""Built-in tasks: one file a task, file stem = name."""
