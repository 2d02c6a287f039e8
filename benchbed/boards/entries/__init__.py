"""The life of an entry: submitted, checked, verified. Shows nothing."""
