"""What giving hopeless learning rates up saves, replayed from the tuning rows of published entries.

    python benchmarks/tuning.py [--boards leaderboards/lite-1]

The entries of `lite` 1 were tuned before a rate was ever given up, so that their rows tell when it would have been.
Per board: the share of the tuning steps that is saved, and how many entries would have chosen another rate.
"""

import argparse
from functools import partial
from pathlib import Path

from benchbed.boards.entries.entry import current_entries, load_entry
from benchbed.boards.folders import entry_files
from benchbed.results.scoring import MemberRow, member_row
from benchbed.results.tuning import choose_learning_rate, giving_up
from benchbed.training.trajectory import Evaluation, Member, Trajectory, give_up_in_order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", type=Path, default=Path("leaderboards/lite-1"))
    for board in sorted(path for path in parser.parse_args().boards.iterdir() if path.is_dir()):
        entries = current_entries([load_entry(path) for path in entry_files(board)])
        before = after = changed = 0
        for entry in entries:
            budget = entry.result.config.budget
            rows = replay(entry.result.tuning, budget.evaluate_every, budget.steps)
            before += sum(row.trained_steps for row in entry.result.tuning)
            after += sum(row.trained_steps for row in rows)
            changed += choose_learning_rate(rows, budget.steps) != entry.result.learning_rate
        print(f"{board.name}: {len(entries)} entries, {1 - after / before:.0%} saved, {changed} other choices")


def replay(rows: list[MemberRow], every: int, budget: int) -> list[MemberRow]:
    """The rows as they would have come out if rates were given up."""
    trajectories = [trajectory_of(row, every, budget) for row in rows]
    give_up_in_order(trajectories, partial(giving_up([[]], budget), 0), every, 0)
    return [member_row(trajectory, chance_loss=1.0) for trajectory in trajectories]


def trajectory_of(row: MemberRow, every: int, budget: int) -> Trajectory:
    """A trajectory that ends as the row did, and says nothing of its losses but the last."""
    met = range(row.steps, row.trained_steps + 1, every) if row.steps else ()
    evaluations = [
        Evaluation(step, [row.final_loss or 0.0], [0.0], step in met, finite=True)
        for step in range(every, row.trained_steps + 1, every)
    ]
    if row.status == "diverged":
        evaluations[-1] = Evaluation(row.trained_steps, [0.0], [0.0], solved=False, finite=False)
    return Trajectory(Member(row.seed, row.learning_rate), budget, evaluations)


if __name__ == "__main__":
    main()
