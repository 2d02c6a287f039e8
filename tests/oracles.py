"""Comparing a mixer with an independent implementation that is given the same weights."""

import torch

from benchbed.plugins.registry import find

DIM, LENGTH, HEADS, BATCH = 32, 21, 4, 3


def ours(name, **options):
    torch.manual_seed(0)
    return find("mixer", name).load()(DIM, LENGTH, **options)


def randomised(module):
    """Weights large enough that every gate is somewhere in between."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape))
    return module


def compare(mixer, theirs, call, mapping, *, dtype=torch.float64, tolerance=1e-9, device="cpu"):
    """The same weights must give the same output, the same gradient of the input and of every weight.

    Args:
        mixer: ours.
        theirs: the independent layer.
        call: what `theirs` gives for `x: (B, T, D)`.
        mapping: our parameter's name -> a linear function of their tensors by name that gives it; of their weights it
            gives our weights, and of their gradients our gradients.
        dtype: in which to compute.
        tolerance: largest difference, relative to the largest number.
        device: on which to compute.
    """
    theirs = randomised(theirs.to(dtype)).to(device)
    mixer = mixer.to(device, dtype)
    assert set(mapping) == {name for name, _ in mixer.named_parameters()}
    their_weights = {name: p.detach() for name, p in theirs.named_parameters()}
    with torch.no_grad():
        for name, parameter in mixer.named_parameters():
            parameter.copy_(mapping[name](their_weights).reshape(parameter.shape))
    inputs = torch.randn(2, BATCH, LENGTH, DIM, dtype=dtype, generator=torch.Generator().manual_seed(2)).to(device)
    x, probe = inputs[0].requires_grad_(), inputs[1]
    other = x.detach().clone().requires_grad_()
    mine, expected = mixer(x), call(other)
    close(mine, expected, tolerance)
    (mine * probe).sum().backward()
    (expected * probe).sum().backward()
    close(x.grad, other.grad, tolerance)
    their_gradients = {name: p.grad for name, p in theirs.named_parameters() if p.grad is not None}
    for name, parameter in mixer.named_parameters():
        close(parameter.grad, mapping[name](their_gradients).reshape(parameter.shape), tolerance)


def close(a, b, tolerance):
    assert a.shape == b.shape
    difference, size = (a - b).abs().max(), b.abs().max()
    assert size > 1e-3, "nothing is compared"
    assert difference <= tolerance * size, f"{difference / size:.1e} of the largest"


def stack(*names):
    return lambda theirs: torch.cat([theirs[name] for name in names])


def take(name):
    return lambda theirs: theirs[name]


def convolution(name):
    """`(C, 1, K)` to `(C, K)`."""
    return lambda theirs: theirs[name].squeeze(1)
