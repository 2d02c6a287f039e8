"""Layers of other libraries: do they start as those who wrote them start them?

A start is lost in two ways, and neither raises anything. What wraps a layer draws its linear layers anew, as two
suites did with Mamba's step sizes (docs/suites.md); or the library keeps the start in its models, and a layer that is
made by itself has another.
"""

from collections.abc import Iterator

from torch import nn

from benchbed.checks.findings import Note
from benchbed.checks.subject import Subject

__all__ = ["own_start"]

_KEPT = "_no_reinit"
"""Mark of mamba_ssm and its kin: whoever draws a model's layers must leave this parameter as it is."""
_BY_MODEL = "_is_hf_initialized"
"""Mark that a model of transformers leaves on every module that it has given its start."""


def own_start(subject: Subject) -> str | None:
    """What a layer was to keep is still there, and one that starts with its model was taken from one."""
    mixer = subject.build()
    for name, parameter in mixer.named_parameters():
        if getattr(parameter, _KEPT, False) and not parameter.any():
            return (
                f"{name} is marked as one to be left as it is ({_KEPT}), and is zero: something drew the layers of "
                "this mixer anew; pass over such parameters"
            )
    alone = sorted({type(layer).__name__ for layer in _without_model(mixer)})
    if not alone:
        return None
    return Note(
        f"{', '.join(alone)} of transformers starts with the model that it belongs to, and was made without one; "
        "take it from a model of one layer (docs/adapters.md), or give it its start in __init__"
    )


def _without_model(module: nn.Module) -> Iterator[nn.Module]:
    """The outermost layers of transformers' models that have weights, and that no model has given a start."""
    theirs = any(base.__module__.startswith("transformers.models.") for base in type(module).__mro__)
    if theirs and next(module.parameters(), None) is not None:
        if not getattr(module, _BY_MODEL, False):
            yield module
        return
    for child in module.children():
        yield from _without_model(child)
