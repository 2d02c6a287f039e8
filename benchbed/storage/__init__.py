"""Files that are whole or absent. Knows nothing of mixers, tasks or scores."""
