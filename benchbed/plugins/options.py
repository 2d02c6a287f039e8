"""Options of a mixer or a task: a strict model made from the signature of its constructor."""

import inspect
from collections.abc import Mapping
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, PydanticSchemaGenerationError, ValidationError, create_model

from benchbed.errors import OptionError, PluginError
from benchbed.storage.schema import describe_error

__all__ = ["options_model", "resolve_options"]

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, validate_default=True, protected_namespaces=())


def options_model(cls: type, positional: tuple[str, ...]) -> type[BaseModel]:
    """Make the strict pydantic model of the keyword-only arguments of `cls.__init__`.

    Args:
        cls: a mixer or task class.
        positional: the names that the contract hands in by position, e.g. `("dim", "length")`.

    Raises:
        PluginError: the signature breaks the contract.
    """
    where = f"{cls.__module__}:{cls.__qualname__}"
    wanted = f"expected __init__(self, {', '.join(positional)}, *, option: type = default, ...)"
    # `nn.Module.__init__` takes *args and **kwargs: a class without its own constructor shows them here.
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    fields: dict[str, Any] = {}
    try:
        hints = get_type_hints(cls.__init__, include_extras=True)
    except NameError as error:
        raise PluginError(f"{where}: an annotation of __init__ cannot be resolved: {error}") from error
    given = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
    if given != positional:
        raise PluginError(f"{where}: {wanted}, found positional arguments ({', '.join(given)})")
    for parameter in parameters[len(given) :]:
        if parameter.kind is not parameter.KEYWORD_ONLY:
            raise PluginError(f"{where}: {wanted}, found '{parameter}'")
        if parameter.name not in hints or parameter.default is parameter.empty:
            raise PluginError(f"{where}: option '{parameter.name}' needs an annotation and a default")
        fields[parameter.name] = (hints[parameter.name], parameter.default)
    try:
        return create_model(f"{cls.__name__}Options", __config__=_STRICT, **fields)
    except (PydanticSchemaGenerationError, NameError) as error:
        raise PluginError(f"{where}: an option has a type that cannot be validated: {error}") from error


def resolve_options(
    cls: type, positional: tuple[str, ...], given: Mapping[str, Any], *, owner: str, text: bool = False
) -> dict[str, Any]:
    """Validate `given` and fill in the defaults; the answer is plain JSON data.

    Args:
        cls: the class whose options they are.
        positional: as in `options_model`.
        given: the options that were set.
        owner: how messages name the class, e.g. `"mixer 'mlp_mixer'"`.
        text: strings are text as a command line gives it, so that `"8"` means 8; other values mean themselves.

    Raises:
        OptionError: an option is unknown or has a wrong value.
    """
    model = options_model(cls, positional)
    read = {key: value for key, value in given.items() if text and isinstance(value, str)}
    try:
        options = model.model_validate({key: value for key, value in given.items() if key not in read})
        if read:
            parsed = model.model_validate_strings(read)
            options = options.model_copy(update={key: getattr(parsed, key) for key in read})
    except ValidationError as error:
        raise OptionError(f"{owner}: {describe_error(error, model)}") from None
    return options.model_dump(mode="json")
