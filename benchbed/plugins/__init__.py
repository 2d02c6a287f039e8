"""Which mixers and tasks there are, and their options. Imports none of them until one is asked for."""
