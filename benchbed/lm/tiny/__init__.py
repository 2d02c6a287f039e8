"""Tiny language models that are trained here: their text, their tokenizer, their training."""
