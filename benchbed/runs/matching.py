"""Mixers at equal size: the widths, or an option of the mixer, at which a model has a given number of parameters."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from benchbed.config.request import RunRequest
from benchbed.config.run_config import RunConfig
from benchbed.errors import BenchbedError, OptionError
from benchbed.training.recipe import make_recipe

__all__ = ["match_parameters", "parameters_of", "plan_at_size"]

_LARGEST = 1 << 14
_MOST = 20_000_000
"""Parameters that are matched, at most: models are built to be counted."""
_TRIED = 64
"""Sizes that are tried between the last power of two below the target and the first above it."""


def parameters_of(config: RunConfig) -> int:
    """Parameters of the whole model that a config describes."""
    recipe, task = make_recipe(config)
    return sum(p.numel() for p in recipe.make_model(0, task).parameters())


def plan_at_size(request: RunRequest, device: str, target: int | None, option: str | None) -> RunConfig:
    """What was asked for, at the widths or the option at which the model has about `target` parameters.

    Args:
        request: what was asked for.
        device: type of the device.
        target: parameters of the whole model; None where any number will do.
        option: of the mixer; None for the width, in steps of 8, with which the channel MLP grows; what a step leaves
            is made up by the channel MLP alone, as far as that stays between half and twice as wide.

    Raises:
        OptionError: no size comes within a tenth of the target.
        BenchbedError: something that was asked for does not exist or does not fit together.
    """

    def planned(options: Mapping[str, int], backbone: Mapping[str, int]) -> RunConfig:
        given = {**request.mixer_options, **{key: str(value) for key, value in options.items()}}
        return replace(request, mixer_options=given, backbone=backbone).resolve(device)

    if target is None:
        if option is not None:
            raise OptionError("--match-by: expected --match-parameters with it")
        return request.resolve(device)
    if not 1 <= target <= _MOST:
        raise OptionError(f"--match-parameters: expected 1 to {_MOST:,}, found {target:,}")
    if option is not None:
        planned({option: 1}, {})  # an option that does not exist is no size that the mixer refuses
        return match_parameters(lambda size: planned({option: size}, {}), target, f"'{option}'")
    shape = request.load_track(device).backbone

    def planned_at(dim: int, mlp_dim: int) -> RunConfig:
        return planned({}, {"dim": dim, "mlp_dim": mlp_dim})

    def hidden(dim: int) -> int:
        return dim * shape.mlp_dim // shape.dim

    dim, parameters = _closest(lambda dim: planned_at(dim, hidden(dim)), target, step=8)
    usual = hidden(dim)
    per_unit = parameters_of(planned_at(dim, usual + 1)) - parameters
    filled = usual + round((target - parameters) / per_unit)
    config = planned_at(dim, min(max(filled, (usual + 1) // 2), usual * 2))
    _refuse_far(target, parameters_of(config), "the width", dim)
    return config


def match_parameters(make_config: Callable[[int], RunConfig], target: int, what: str) -> RunConfig:
    """The config whose model comes closest to `target` parameters.

    Args:
        make_config: the config at a size; sizes that the mixer refuses are passed over.
        target: parameters of the whole model.
        what: how messages call the size, e.g. `"'expansion'"`.

    Raises:
        OptionError: no size comes within a tenth of the target.
        BenchbedError: the mixer refuses every size.
    """
    size, parameters = _closest(make_config, target)
    _refuse_far(target, parameters, what, size)
    return make_config(size)


def _closest(make_config: Callable[[int], RunConfig], target: int, step: int = 1) -> tuple[int, int]:
    """Of the multiples of `step`, a size whose model comes closest to `target` parameters; and its parameters."""
    found: dict[int, int] = {}
    refusals: list[BenchbedError] = []

    def measure(size: int) -> int:
        try:
            found[size] = parameters_of(make_config(size))
        except BenchbedError as error:
            refusals.append(error)
            return 0
        return found[size]

    high = step
    while measure(high) < target and high < _LARGEST:
        high *= 2
    for size in range(high // 2 // step * step or step, high, max(1, high // 2 // _TRIED // step) * step):
        measure(size)
    if not found:
        raise refusals[-1]
    best = min(found, key=lambda size: (abs(found[size] - target), size))
    return best, found[best]


def _refuse_far(target: int, parameters: int, what: str, size: int) -> None:
    if abs(parameters - target) > target / 10:
        raise OptionError(
            f"--match-parameters: no value of {what} comes within a tenth of {target:,}; "
            f"the closest is {parameters:,} parameters, at {size}"
        )
