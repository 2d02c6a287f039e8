"""What of a seed decides when it solves: the instance of the task, the data, or the first weights?

    python benchmarks/redraws.py --mixer multi_head_attention --level linear_map@s3 --out docs/redraws

Every scoring seed of a published entry trains again at the entry's rate, as it is and with one of the three drawn
anew, three times each: ten trainings a seed. Where what they still share decides, they take alike many steps.
"""

import argparse
import csv
import sys
from collections import defaultdict
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f
from torch import device

from benchbed.boards.entries.entry import load_entry
from benchbed.boards.folders import boards_folder
from benchbed.contracts import Task
from benchbed.results.stats import CONFIDENCE
from benchbed.storage.files import csv_text, write_text
from benchbed.training.backbone import Backbone
from benchbed.training.engine import EngineSettings, choose_engine
from benchbed.training.ensemble import Ensemble
from benchbed.training.recipe import Data, Recipe, make_recipe
from benchbed.training.trajectory import Member

PARTS = ("weights", "instance", "data")
ANEW = 3
"""Times that each part is drawn anew."""
SHUFFLES = 20_000


class Draws(NamedTuple):
    """From which seed each part of a training is drawn."""

    weights: int
    instance: int
    data: int


def draws_of(number: int) -> Draws:
    """What a member's number stands for: 100 is seed 0 with other weights, 415 seed 15 with another instance."""
    turn, seed = divmod(number, 100)
    if not turn:
        return Draws(seed, seed, seed)
    part, again = divmod(turn - 1, ANEW)
    return Draws(seed, seed, seed)._replace(**{PARTS[part]: 10_000 * (again + 1) + seed})


class Redrawn(Recipe):
    """A recipe whose members draw each part from a seed of its own."""

    @classmethod
    def of(cls, recipe: Recipe) -> Self:
        """The same recipe, so drawn."""
        return cls(**{field.name: getattr(recipe, field.name) for field in fields(recipe)})

    def make_task(self, seed: int, run: int = 0) -> Task:
        """The instance of the seed that this part is drawn from."""
        return super().make_task(draws_of(seed).instance, run)

    def make_model(self, seed: int, task: Task) -> Backbone:
        """The model of the seed that this part is drawn from."""
        return super().make_model(draws_of(seed).weights, task)

    def training_data(self, seed: int, task: Task, interval: int) -> Data:
        """The batches of the seed that this part is drawn from."""
        return super().training_data(draws_of(seed).data, task, interval)

    def held_out_data(self, seed: int, task: Task) -> Data:
        """The sequences of the seed that this part is drawn from."""
        return super().held_out_data(draws_of(seed).data, task)


class Alike(NamedTuple):
    """How alike trainings are that share what was not drawn anew."""

    share: float
    """Of the variance of the logarithm of steps: the intraclass correlation of one-way groups."""
    interval: tuple[float, float]
    """95% (Shrout & Fleiss, 1979, Psychological Bulletin 86, their ICC(1,1))."""
    p: float
    """One-sided, by shuffling which training belongs to which seed."""
    factor: float
    """Between two such trainings, see `factor`."""


def alike(groups: NDArray[np.float64]) -> Alike:
    """How alike the members of a group are, `(seeds, trainings)` of log steps."""
    count, size = groups.shape
    between, within = count - 1, count * (size - 1)
    ratio = float(_ratios(groups))
    low, high = (
        ratio / f.ppf((1 + CONFIDENCE) / 2, between, within),
        ratio * f.ppf((1 + CONFIDENCE) / 2, within, between),
    )
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(np.broadcast_to(groups.reshape(-1), (SHUFFLES, groups.size)), axis=1)
    extreme = int((_ratios(shuffled.reshape(-1, count, size)) >= ratio * (1 - 1e-12)).sum())
    shares = [(value - 1) / (value + size - 1) for value in (ratio, float(low), float(high))]
    return Alike(
        shares[0],
        (shares[1], shares[2]),
        (extreme + 1) / (SHUFFLES + 1),
        factor(groups),
    )


def factor(groups: NDArray[np.float64]) -> float:
    """How many times the steps of the faster the slower of a group's trainings takes, geometric mean over its pairs.

    Args:
        groups: log steps, `(groups, trainings)`.
    """
    first, second = np.triu_indices(groups.shape[1], 1)
    return float(np.exp(np.abs(groups[:, first] - groups[:, second]).mean()))


def _ratios(groups: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean square between groups over that within them, over the last two axes."""
    means = groups.mean(axis=-1)
    return groups.shape[-1] * means.var(axis=-1, ddof=1) / groups.var(axis=-1, ddof=1).mean(axis=-1)


def read(path: Path) -> dict[str, NDArray[np.float64]]:
    """By what was drawn anew, log of min(steps, budget) `(seeds, 1 + ANEW)`: the training as it is stands first."""
    steps = defaultdict(list)
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            steps[row["anew"], int(row["seed"])].append(int(row["steps"] or row["budget"]))
    seeds = sorted(seed for anew, seed in steps if not anew)
    return {part: np.log([steps["", seed] + steps[part, seed] for seed in seeds]) for part in PARTS}


def train(mixer: str, level: str) -> list[dict[str, str | int | float | None]]:
    """A row a training."""
    entry = load_entry(boards_folder() / "lite" / level / f"{mixer}.yaml").result
    recipe, _ = make_recipe(entry.config)
    recipe = Redrawn.of(recipe)
    settings, _ = choose_engine(recipe, EngineSettings("auto", device("cpu"), entry.environment.compiled))
    numbers = [100 * turn + seed for turn in range(1 + ANEW * len(PARTS)) for seed in entry.config.scoring_seeds]
    ensemble = Ensemble(recipe, [Member(number, entry.learning_rate) for number in numbers], settings)

    def observe(ensemble: Ensemble) -> None:
        ended = sum(t.status != "training" for t in ensemble.trajectories.values())
        print(f"\r{ended} of {len(numbers)} trainings over", end="", file=sys.stderr, flush=True)

    rows = []
    for trajectory in ensemble.train(observe):
        turn, seed = divmod(trajectory.member.seed, 100)
        rows.append(
            {"mixer": mixer, "level": level, "learning_rate": entry.learning_rate, "seed": seed}
            | {"anew": PARTS[(turn - 1) // ANEW] if turn else ""}
            | draws_of(trajectory.member.seed)._asdict()
            | {"steps": trajectory.steps_to_solve, "budget": trajectory.budget}
        )
    same = [row["steps"] for row in rows if not row["anew"]] == [row.steps for row in entry.members]
    print(f"\nas they are, the seeds take {'the same steps as' if same else 'other steps than'} in the entry")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixer", default="multi_head_attention")
    parser.add_argument("--level", default="linear_map@s3")
    parser.add_argument("--out", type=Path, default=Path("docs/redraws"))
    given = parser.parse_args()
    path = given.out / f"{given.level.replace('@', '-')}-{given.mixer}.csv"
    write_text(path, csv_text(train(given.mixer, given.level)))
    found = read(path)
    for part, groups in found.items():
        print(f"{part} anew: {alike(groups)}")
    print(f"two seeds: {factor(found[PARTS[0]][:, :1].T):.2f}")


if __name__ == "__main__":
    import redraws  # other processes find the recipe's class under this name

    redraws.main()
