"""Closer looks than a score. Its rooms do not know each other, but for the paper, which uses sweeps and traces."""
