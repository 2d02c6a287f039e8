"""Who wins by the best run, and who by the mean at a rate that other data chose: the published runs of CogScale.

    git clone https://github.com/Naowak/CogScale && git -C CogScale checkout 14b6258
    python benchmarks/best_of_many.py CogScale/baseline/results/results.csv

Its file has ten seeds at each of five learning rates for every architecture on every task, difficulty and size, with
the best score on validation data of each run and its score on test data; less is better. Echo state networks have one
setting and no score on validation data.
"""

import csv
import math
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from scipy.stats import permutation_test

Models = Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]
"""By architecture and rate: the scores of each seed on validation and on test data."""

SETTING = ("Task", "Difficulty", "Target_Params")
EXACT = 200_000
"""More than the 184,756 ways to share out ten and ten seeds."""


class Winners(NamedTuple):
    """Of one setting."""

    best: set[str]
    """Whose best run is the best of all."""
    mean: str
    """Whose test scores have the best mean, at the rate with the best mean on validation data."""
    p: float
    """Of the exact permutation test between that one and the next."""
    rates: dict[str, str]
    """The rate of each architecture, where there are several."""


def read(path: Path) -> Mapping[tuple[str, ...], Models]:
    """The runs of a file, by setting."""
    found = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            scores = float(row["Best_Val_Score"] or "nan"), float(row["Test_Score"] or "nan")
            found[tuple(row[name] for name in SETTING)][row["Model"]][row["LR"]].append(scores)
    return found


def winners(models: Models) -> Winners:
    """Both winners of one setting."""
    chosen = {model: _rate(rates) for model, rates in models.items()}
    tests = {model: [test for _, test in models[model][rate]] for model, rate in chosen.items()}
    first, second = sorted(tests, key=lambda model: fmean(tests[model]))[:2]
    every = {model: [test for seeds in rates.values() for _, test in seeds] for model, rates in models.items()}
    best = {model: min(test for test in found if not math.isnan(test)) for model, found in every.items()}
    return Winners(
        best={model for model in best if best[model] == min(best.values())},
        mean=first,
        p=_p(tests[first], tests[second]),
        rates={model: rate for model, rate in chosen.items() if len(models[model]) > 1},
    )


def _rate(rates: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """With the best mean on validation data; one that diverged with a seed has none."""
    means = {rate: fmean(validation for validation, _ in seeds) for rate, seeds in rates.items()}
    return min(means, key=lambda rate: math.inf if math.isnan(means[rate]) else means[rate])


def _p(first: list[float], second: list[float]) -> float:
    def difference(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        return np.mean(a, axis=axis) - np.mean(b, axis=axis)

    return float(permutation_test((first, second), difference, vectorized=True, n_resamples=EXACT).pvalue)


def main() -> None:
    found = [winners(models) for models in read(Path(sys.argv[1])).values()]
    others = sum(one.mean not in one.best for one in found)
    alike = sum(one.p >= 0.05 for one in found)
    rates = [rate for one in found for rate in one.rates.values()]
    largest = max(rates, key=float)
    print(f"{len(found)} settings; in {others} the best run is of another architecture than the best mean;")
    print(f"in {alike} the best mean and the next are not told apart (p >= 0.05);")
    print(f"{rates.count(largest)} of {len(rates)} rates that were chosen are the largest that was tried, {largest}")


if __name__ == "__main__":
    main()
