"""Layers of flash-linear-attention, twins of mixers in plain PyTorch; `pip install "benchbed[fla]"`, and CUDA."""
