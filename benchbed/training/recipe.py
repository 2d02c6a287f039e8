"""What all members of an ensemble have in common, and how one member's task and model are made from it."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchbed.config.run_config import RunConfig
from benchbed.config.tracks import BackboneSizes, Budget, OptimiserSettings
from benchbed.contracts import Task, takes_bias
from benchbed.errors import OptionError, PluginError, blame
from benchbed.plugins.registry import find
from benchbed.training.backbone import Backbone
from benchbed.training.seeding import generator, seeded_globally
from benchbed.training.validation import check_mixer, check_task, targets_in

__all__ = ["Data", "Recipe", "join_recipes", "make_recipe", "refuse_edited"]


class Data(NamedTuple):
    """Sequences, and what is predicted of them."""

    tokens: Tensor
    """`(..., T)`"""
    targets: Tensor
    """`(..., N)`"""


@dataclass(frozen=True)
class Recipe:
    """A mixer and a task with their options, and the track's sizes; everything but the seed and the rate.

    Runs that differ in the task's options alone, and need models of one shape, train as one: they are its runs.
    """

    mixer: type[nn.Module]
    mixer_options: dict[str, Any]
    task: type
    task_options: tuple[dict[str, Any], ...]
    """One set a run."""
    backbone: BackboneSizes
    optimiser: OptimiserSettings
    budget: Budget
    score_bias: float = 0.0
    tf32: bool = False
    """Products of float32 are made in TF32, on CUDA."""
    sources: tuple[tuple[str, str], ...] = ()
    """The files of mixer and task, and the SHA-256 of each when they were imported."""

    def make_task(self, seed: int, run: int = 0) -> Task:
        """The instance of the task that belongs to a seed."""
        return self.task(generator(seed, "instance"), **self.task_options[run])

    def make_mixer(self, length: int) -> nn.Module:
        """One mixer; draws its weights from the global generator."""
        return self.mixer(self.backbone.dim, length, **self.mixer_options)

    def make_model(self, seed: int, task: Task) -> Backbone:
        """The model that a seed starts from, on the CPU.

        Raises:
            PluginError: the mixer holds parameters that benchbed cannot train.
        """
        with seeded_globally(seed, "weights"):
            model = Backbone(
                lambda: self.make_mixer(task.length),
                vocabulary=task.vocabulary,
                scored=task.scored,
                **self.backbone.model_dump(),
            )
        for name, parameter in model.named_parameters():
            if parameter.dtype != torch.float32:
                raise PluginError(
                    f"mixer {self.mixer.__name__}: expected float32 parameters, found {name} of {parameter.dtype}; "
                    "hold complex numbers as pairs of real ones"
                )
        if self.score_bias:
            for block in model.blocks:
                _push(block.mixer, task, self.score_bias)  # pyright: ignore[reportArgumentType]
        return model

    def batch_size(self, task: Task) -> int:
        """Sequences a member trains on in one step."""
        return max(1, self.budget.tokens_per_step // task.length)

    def training_data(self, seed: int, task: Task, interval: int) -> Data:
        """The batches between two evaluations, `(steps, B, ...)`."""
        steps, batch = self.budget.evaluate_every, self.batch_size(task)
        tokens = task.sample(steps * batch, generator(seed, "training", interval))
        return Data(*(rows.view(steps, batch, -1) for rows in (tokens, targets_in(task, tokens))))

    def held_out_data(self, seed: int, task: Task) -> Data:
        """The sequences that a member is evaluated on, `(held_out, ...)`, from a stream of their own."""
        tokens = task.sample(self.budget.held_out, generator(seed, "held-out"))
        return Data(tokens, targets_in(task, tokens))


def _push(mixer: nn.Module, task: Task, strength: float) -> None:
    """Add `strength` to the scores of a token's true parents, where the token is predicted from."""
    if not takes_bias(mixer):
        raise OptionError(
            f"--bias: expected a mixer whose scores take a bias (a buffer score_bias, see benchbed.contracts), "
            f"found {type(mixer).__name__}"
        )
    if task.parents is None:
        raise OptionError(f"--bias: expected a task whose parents are fixed, found {type(task).__name__}")
    mixer.score_bias[:-1] += strength * task.parents[1:]


def refuse_edited(sources: Iterable[tuple[str, str]]) -> None:
    """Refuse to go on, in another process, with code that is not what this run began with.

    Raises:
        PluginError: a file was edited since.
    """
    for path, digest in sources:
        if _digest(path) != digest:
            raise PluginError(
                f"{path} was edited while it was running: expected it as it was imported; put it back and the same "
                "command goes on, or run it anew"
            )


def _digest(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return "gone"


def join_recipes(recipes: Sequence[Recipe]) -> Recipe:
    """One recipe with a run for each of those given, which differ in their task's options alone."""
    return replace(recipes[0], task_options=tuple(options for recipe in recipes for options in recipe.task_options))


def make_recipe(config: RunConfig) -> tuple[Recipe, Task]:
    """Load the classes that a config names, and prove on one instance of each that the options fit.

    Raises:
        BenchbedError: they do not, or the classes break their contract.
    """
    mixer_plugin, task_plugin = find("mixer", config.mixer.name), find("task", config.task.name)
    recipe = Recipe(
        mixer=mixer_plugin.load(),
        mixer_options=config.mixer.options,
        task=task_plugin.load(),
        task_options=(config.task.options,),
        backbone=config.backbone,
        optimiser=config.optimiser,
        budget=config.budget,
        score_bias=config.score_bias,
        tf32=config.tf32,
        sources=tuple((path, _digest(path)) for path in sorted(mixer_plugin.files | task_plugin.files)),
    )
    with blame(f"task '{config.task.name}'"):
        task = recipe.make_task(config.scoring_seeds[0])
        check_task(task)
    with blame(f"mixer '{config.mixer.name}'"):
        check_mixer(lambda: recipe.make_mixer(task.length), config.backbone.dim, task.length)
    return recipe, task
