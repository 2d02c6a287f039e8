"""The command line: commands parse, call and show. Nothing below knows it."""
