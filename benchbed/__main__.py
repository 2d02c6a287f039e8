"""`python -m benchbed` is the console script `benchbed`."""

from benchbed.cli import main

main()
