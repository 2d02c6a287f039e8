"""The experiments of arXiv 2606.25010 and the tests of its claims."""
