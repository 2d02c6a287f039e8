"""Options of a mixer or a task: a strict model made from the signature of its constructor."""

import inspect
import json
from collections.abc import Collection, Mapping
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from benchbed.errors import OptionError, PluginError, did_you_mean
from benchbed.storage.schema import describe_error

__all__ = ["option_names", "options_model", "refuse_unknown", "resolve_options"]

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)


def options_model(cls: type, positional: tuple[str, ...]) -> type[BaseModel]:
    """Make the strict pydantic model of the keyword-only arguments of `cls.__init__`; their names are its aliases.

    Args:
        cls: a mixer or task class.
        positional: the names that the contract hands in by position, e.g. `("dim", "length")`.

    Raises:
        PluginError: the signature breaks the contract, or an annotation is no type.
    """
    where = f"{cls.__module__}:{cls.__qualname__}"
    wanted = f"expected __init__({', '.join(['self', *positional])}, *, option: type = default, ...)"
    # `nn.Module.__init__` takes *args and **kwargs: a class without its own constructor shows them here.
    own = cls.__init__ is not object.__init__  # which takes anything, by its signature, and nothing in truth
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:] if own else []
    fields: dict[str, Any] = {}
    try:
        hints = get_type_hints(cls.__init__, include_extras=True)
    except Exception as error:  # an annotation is evaluated, and may raise whatever it likes
        raise PluginError(f"{where}: an annotation of __init__ cannot be resolved: {_told(error)}") from error
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
        # Called by numbers, because `json`, `copy` and `model_config` mean something to pydantic.
        fields = {
            f"option_{number}": (Annotated[hint, Field(alias=name)], default)
            for number, (name, (hint, default)) in enumerate(fields.items())
        }
        return create_model(f"{cls.__name__}Options", __config__=_STRICT, **fields)
    except Exception as error:
        raise PluginError(f"{where}: an option has a type that cannot be validated: {_told(error)}") from error


def option_names(model: type[BaseModel]) -> dict[str, str]:
    """The options of a model of `options_model`, and what its fields are called."""
    return {info.alias or name: name for name, info in model.model_fields.items()}


def refuse_unknown(given: Mapping[str, Any], known: Collection[str], owner: str) -> None:
    """Say that an option does not exist.

    Raises:
        OptionError: one of those given is not known.
    """
    for name in given:
        if name not in known:
            hint = f"{did_you_mean(name, known)}; known: {', '.join(known) or 'none'}"
            raise OptionError(f"{owner}: unknown option '{name}'{hint}")


def resolve_options(
    cls: type, positional: tuple[str, ...], given: Mapping[str, Any], *, owner: str, text: bool = False
) -> dict[str, Any]:
    """Validate `given` and fill in the defaults; the answer is plain JSON data.

    Args:
        cls: the class whose options they are.
        positional: as in `options_model`.
        given: the options that were set.
        owner: how messages name the class, e.g. `"mixer 'mlp_mixer'"`.
        text: strings are text as a command line gives it, so that `"8"` means 8, `"none"` None and `"[1, 2]"` a list;
            other values mean themselves.

    Raises:
        OptionError: an option is unknown or has a wrong value.
    """
    model = options_model(cls, positional)
    refuse_unknown(given, list(option_names(model)), owner)
    read = {key: value for key, value in given.items() if text and isinstance(value, str)}
    try:
        options = model.model_validate({key: value for key, value in given.items() if key not in read})
        if read:
            parsed = _parse(model, read)
            fields = [name for option, name in option_names(model).items() if option in read]
            options = options.model_copy(update={name: getattr(parsed, name) for name in fields})
    except ValidationError as error:
        raise OptionError(f"{owner}: {describe_error(error, model)}") from None
    return options.model_dump(mode="json", by_alias=True)


def _parse(model: type[BaseModel], read: dict[str, str]) -> BaseModel:
    """Text as pydantic reads single values; what it cannot, as YAML: lists, and None."""
    try:
        return model.model_validate_strings(read)
    except ValidationError as error:
        from benchbed.storage.files import YamlError, load_yaml  # `list` needs no YAML

        values: dict[str, Any] = dict(read)
        for wrong in error.errors(include_url=False):
            key = str(wrong["loc"][0])
            try:
                values[key] = None if read[key].lower() == "none" else load_yaml(read[key])
            except YamlError:
                raise error from None
        try:  # as JSON, in which a list may be a tuple or a set
            loose = {key: value for key, value in values.items() if not isinstance(value, str)}
            strings = model.model_validate_strings({key: read[key] for key in read if key not in loose})
            others = model.model_validate_json(json.dumps(loose))
        except (ValidationError, TypeError, ValueError):
            raise error from None
        fields = [name for option, name in option_names(model).items() if option in loose]
        return strings.model_copy(update={name: getattr(others, name) for name in fields})


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
