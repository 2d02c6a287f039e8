"""The leaderboards: ranks, comparisons, and what a board lacks. Knows no closer look than a score."""
