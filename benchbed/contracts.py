"""What a plug-in sees of benchbed: the shapes of a mixer, a task and a capability, and one error to raise.

They are plain classes; nothing is inherited, decorated or registered. These protocols document
and type-check them. Keyword-only arguments of `__init__`, each with an annotation and a default, are the
options: benchbed reads the signature and validates strictly, so bounds and choices belong into the annotation
(`Annotated[int, Field(ge=1)]`, `Literal["a", "b"]`).

Shapes: `B` batch, `T` tokens, `D` width, `H` heads, `N` scored tokens.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeGuard, runtime_checkable

from benchbed.errors import OptionError

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = [
    "BiasableMixer",
    "Capability",
    "Mixer",
    "MixerWithWeights",
    "OptionError",
    "PatchableMixer",
    "Prompt",
    "Task",
    "TaskWithOracle",
    "TaskWithOwnParents",
    "TaskWithTargets",
]


class Mixer(Protocol):
    """A `torch.nn.Module` that moves information between tokens, causally.

    The constructor is `__init__(self, dim: int, length: int, *, option: type = default, ...)`. It is written
    for one model; benchbed trains many members at once around it. Output `t` may depend on inputs `0..t` only.
    The module initialises its own parameters and draws nothing at random in `forward`. The first line of its
    docstring is what `benchbed list mixers` shows. Raise `OptionError` for options that do not fit together.

    A class that needs more than benchbed does says so in its body, as literals: `needs = ("some-distribution",)`, and
    `"cuda"` where it computes on a GPU alone. Where something is lacking it is listed with the reason.
    """

    def forward(self, x: "Tensor") -> "Tensor":
        """Map `(B, T, D)` to `(B, T, D)`."""
        ...


@runtime_checkable
class MixerWithWeights(Protocol):
    """A mixer whose mixing can be read off as explicit weights (optional; found by the method's name)."""

    def mixing_weights(self, x: "Tensor") -> "Tensor":
        """The weight of each input token in each output token for `x: (B, T, D)`, as `(B, H, T, T)`."""
        ...


@runtime_checkable
class PatchableMixer(MixerWithWeights, Protocol):
    """A mixer that can mix by given weights, so that those of another model can be put in (optional)."""

    def mix(self, x: "Tensor", weights: "Tensor") -> "Tensor":
        """`forward` with `weights: (B, H, T, T)` in place of its own; with its own it is `forward`."""
        ...


class BiasableMixer(Protocol):
    """A mixer whose attention can be pushed towards chosen tokens (optional; found by the buffer's name)."""

    score_bias: "Tensor"
    """`(T, T)` buffer, added to the scores of every head: -inf above the diagonal, 0 elsewhere as it is built."""


def takes_bias(mixer: object) -> TypeGuard[BiasableMixer]:
    """Whether a mixer is a `BiasableMixer`; `isinstance` sees no buffer of a module from Python 3.12 on."""
    return hasattr(mixer, "score_bias")


class Task(Protocol):
    """A generator of token sequences whose true dependencies are known.

    The constructor is `__init__(self, generator: torch.Generator, *, option: type = default, ...)`; what is
    random about the instance (a matrix, a rule) is drawn from `generator`, on the CPU. Two instances that
    are built from equal generators are equal.
    """

    version: int
    """Raised whenever the same options would give other data, another criterion or another score."""

    vocabulary: int
    """Number of distinct tokens; tokens are `0..vocabulary-1`."""

    length: int
    """Tokens in a sequence, `T`."""

    scored: "Tensor"
    """`(T,)` bool: the tokens that are predicted and scored, each from the position before it. Never token 0."""

    parents: "Tensor | None"
    """`(T, T)` bool, row = scored token, column = token that it depends on; None where it has `parents_of`."""

    chance_loss: float
    """Cross-entropy in nats of the best constant prediction of each scored token over all instances; their mean."""

    def sample(self, count: int, generator: "Generator") -> "Tensor":
        """Draw `count` sequences as an int64 tensor `(count, T)` on the CPU."""
        ...

    def solved(self, accuracy: "Tensor") -> "Tensor":
        """Whether the held-out accuracies `(..., N)` of the scored tokens meet the criterion, as `(...,)` bool."""
        ...


@runtime_checkable
class TaskWithOwnParents(Protocol):
    """A task whose dependencies are found by content and so differ from sequence to sequence (optional)."""

    def parents_of(self, tokens: "Tensor") -> "Tensor":
        """The parents in each sequence of `tokens: (B, T)`, as `(B, T, T)` bool; as many for a token in all."""
        ...


@runtime_checkable
class TaskWithTargets(Protocol):
    """A task that asks for other tokens than those that stand there (optional), and whose answers no model sees.

    So a state can be asked for after every input without being shown, and copies where only a marker stands.
    """

    def targets(self, tokens: "Tensor") -> "Tensor":
        """What each scored place asks for, `(B, T)` to `(B, N)` int64; at token t it follows from those before."""
        ...


@runtime_checkable
class TaskWithOracle(Protocol):
    """A task whose parents determine a token only by a rule that the sequence itself shows (optional)."""

    def oracle(self, tokens: "Tensor") -> "Tensor":
        """The best guess of each scored token from the tokens before it, `(B, T)` to `(B, N)` int64."""
        ...


class Prompt(NamedTuple):
    """One question to a language model."""

    text: str
    """What it is shown. Every word has a space before it, the first too, so that it is the same token anywhere."""
    target: str
    """The right word to go on with, with its space; a token of its own, as benchbed checks."""
    others: tuple[str, ...]
    """Wrong words among which the right one is to be told, likewise: chance is one in `1 + len(others)`."""


class Capability(Protocol):
    """Something that a language model can do or not, told by how it goes on.

    The constructor is `__init__(self, *, option: type = default, ...)`.
    """

    version: int
    """Raised whenever the same options and seed would give other prompts."""

    def prompts(self, count: int, rng: Random, known: Callable[[Sequence[str]], list[str]]) -> list[Prompt]:
        """Questions for one tokenizer.

        Args:
            count: how many.
            rng: all that is random about them.
            known: of some words, without spaces, those that are one token for the tokenizer at hand. Raise
                `OptionError` where too few are: the model is then said not to be applicable.
        """
        ...
