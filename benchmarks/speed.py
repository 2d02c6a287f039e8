"""Seconds per member-step: a plain PyTorch loop against benchbed's engines, side by side in one run.

    python benchmarks/speed.py [--shapes lite,standard] [--members 1,4,16,48] [--mixer multi_head_attention]
    python benchmarks/speed.py --shapes lite --members 8 --cores 1,2 --compile --mixer mamba

The plain loop is what a researcher would write for one seed: the same model and data, `torch.optim.AdamW`, torch's
default threads, the model computed at every position. Every cell is measured `--repeats` times in turn with the
others, so that a slow spell of the machine meets all of them; the median counts. Evaluation is left out on both
sides. "peak" is the share of the machine's matrix-product peak, measured in the same run, that the useful FLOPs of
a step reach (forward counted by torch, backward twice that).
"""

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import product
from statistics import median

import torch
from torch.nn import functional as F

from benchbed.config.request import RunRequest
from benchbed.config.tracks import load_track
from benchbed.runs.costs import measure_costs
from benchbed.training.devices import find_device, float32_products
from benchbed.training.engine import Engine, EngineSettings, why_not_graph, why_not_vmap
from benchbed.training.ensemble import Ensemble
from benchbed.training.recipe import Recipe, make_recipe
from benchbed.training.trajectory import Member

RATE = 1e-4  # low, so that no member solves and leaves while it is being timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default="lite,standard", help="tracks whose shapes are measured")
    parser.add_argument("--members", default="1,4,16,48", help="sizes of the ensemble")
    parser.add_argument("--mixer", default="multi_head_attention")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=0, help="steps a member and repeat; 0: 20 (lite), 3 (standard)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cores", help="numbers of cores for the engine loop on a CPU, as 1,2; by default all")
    parser.add_argument("--compile", action="store_true", help="also measure the engines compiled")
    given = parser.parse_args()
    device = find_device(given.device)
    sizes = [int(size) for size in given.members.split(",")]
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads, {given.mixer}")
    for shape in given.shapes.split(","):
        steps = given.steps or (20 if shape == "lite" or device.type == "cuda" else 3)
        cores: Sequence[int | None] = [int(number) for number in given.cores.split(",")] if given.cores else [None]
        measure(shape, given.mixer, sizes, steps, given.repeats, [False, True][: 1 + given.compile], cores, device)


def measure(
    shape: str,
    mixer: str,
    sizes: list[int],
    steps: int,
    repeats: int,
    compiled: list[bool],
    cores: Sequence[int | None],
    device: torch.device,
) -> None:
    """Print the table of one track's shapes."""
    recipe, flops = recipe_for(shape, mixer, steps)
    cells: dict[str, Callable[[], float]] = {"plain loop, 1 seed": lambda: plain_loop(recipe, steps, device)}
    engines: list[Engine] = ["loop"]
    if not cores[0] and not why_not_vmap(recipe, device):
        engines.append("vmap")
        if not why_not_graph(recipe, device):
            engines.append("graph")
    for compile_, engine, size, number in product(compiled, engines, sizes, cores):
        name = f"{engine}{' compiled' if compile_ else ''}, {size} members{f', {number} cores' if number else ''}"
        settings = EngineSettings(engine, device, compile_, cores=number)
        cells[name] = lambda size=size, settings=settings: ensemble(recipe, size, steps, settings)
    seconds: dict[str, list[float]] = {name: [] for name in cells}
    peaks = []
    for _ in range(repeats):
        peaks.append(matrix_peak(device))
        for name, cell in cells.items():
            seconds[name].append(cell())
    plain, peak = median(seconds["plain loop, 1 seed"]), median(peaks)
    print(f"\n{shape}: {flops / 1e9:.2f} GFLOP a member-step; matrix peak {peak / 1e9:,.0f} GFLOP/s")
    print(f"{'':40}{'ms a member-step':>18}{'x plain':>10}{'peak':>8}")
    for name, times in seconds.items():
        middle = median(times)
        print(f"{name:40}{1e3 * middle:18.2f}{plain / middle:10.2f}{flops / middle / peak:8.1%}", flush=True)


def recipe_for(shape: str, mixer: str, steps: int) -> tuple[Recipe, float]:
    """The recipe of a track's default level with evaluation made negligible, and the useful FLOPs of a step."""
    track = load_track(shape)
    config = RunRequest(mixer, "linear_map", track).resolve("cpu")
    budget = config.budget.model_copy(update={"steps": 2 * steps, "evaluate_every": steps, "held_out": 8})
    recipe, task = make_recipe(config.model_copy(update={"budget": budget}))
    forward = measure_costs(recipe, task).flops_per_token * task.length * recipe.batch_size(task)
    return recipe, 3 * forward


def plain_loop(recipe: Recipe, steps: int, device: torch.device) -> float:
    """Seconds a step of one seed, as one would write it without benchbed."""
    task = recipe.make_task(0)
    model = recipe.make_model(0, task).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE)
    generator = torch.Generator().manual_seed(0)
    scored = task.scored.to(device)

    def step() -> None:
        tokens = task.sample(recipe.batch_size(task), generator).to(device)
        x = model.tokens(tokens) + model.positions
        for block in model.blocks:
            x = block(x)
        logits = model.head(model.norm(x))[:, :-1]
        loss = F.cross_entropy(logits[:, scored[1:]].flatten(0, 1), tokens[:, scored].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    with float32_products(tf32=False):
        return timed(step, warmup=max(2, steps // 2), count=steps, device=device)


def ensemble(recipe: Recipe, size: int, steps: int, settings: EngineSettings) -> float:
    """Seconds a member-step; the first interval of every member warms up and is not counted."""
    members = [Member(seed, RATE) for seed in range(size)]
    seen: list[tuple[float, int]] = []

    def observe(ensemble: Ensemble) -> None:
        progress = [t.step for t in ensemble.trajectories.values()]
        if min(progress) >= steps:
            seen.append((time.perf_counter(), sum(progress)))

    Ensemble(recipe, members, settings).train(observe)
    (start, before), (end, after) = seen[0], seen[-1]
    return (end - start) / (after - before)


def matrix_peak(device: torch.device) -> float:
    """FLOP/s of a large float32 matrix product."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
    with float32_products(tf32=False):
        return 2 * size**3 / timed(lambda: a @ b, warmup=2, count=5, device=device)


def timed(call: Callable[[], object], *, warmup: int, count: int, device: torch.device) -> float:
    """Mean seconds of a call."""
    for _ in range(warmup):
        call()
    synchronise(device)
    start = time.perf_counter()
    for _ in range(count):
        call()
    synchronise(device)
    return (time.perf_counter() - start) / count


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
