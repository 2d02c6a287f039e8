"""Boards as readers see them: terminal, Markdown, pages. Ranks nothing."""
