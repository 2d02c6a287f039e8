"""Seeds that the tests of several pages ask for."""

import pytest
from published import BOARDS, entry_steps, levels_of, page, swept


@pytest.fixture(scope="module")
def starts():
    """min(steps, budget) of every seed, by start; and those of the token MLP's entry."""
    steps = swept("sweep.csv")
    return steps | {name: entry_steps("linear_map@s3", name) for name in ("mlp_mixer", "multi_head_attention")}


@pytest.fixture(scope="module")
def six():
    """min(steps, budget) of every seed by level of the six and mixer, and of attention with `torch`'s start."""
    levels, steps = levels_of("overall", page("findings-mixers")), {}
    for level in levels:
        steps |= {(level, path.stem): entry_steps(level, path.stem) for path in (BOARDS / level).glob("*.yaml")}
        other = "sweep.csv" if level == "linear_map@s3" else f"{level.replace('@', '-')}.csv"
        steps[level, "torch"] = swept(other)["torch"]
    return levels, steps
