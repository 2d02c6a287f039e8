"""A tiny track, and mixers that a stranger would publish: some odd, some broken, some that cheat."""

import textwrap
from pathlib import Path

TINY_TRACK = """
schema_version: 1
name: tiny
version: 1
description: For tests
backbone: {dim: 16, mlp_dim: 32, layers: 1}
optimiser: {learning_rates: [0.003, 0.01], betas: [0.9, 0.999], weight_decay: 0.01, warmup_steps: 5}
budget: {steps: 60, tokens_per_step: 512, evaluate_every: 10, held_out: 128}
seeds: {scoring: 3, tuning: [100, 101]}
tasks:
  linear_map:
    default: s1
    levels:
      s1: {options: {state_size: 4, sparsity: 1}}
      s2: {options: {state_size: 4, sparsity: 2}}
      deep: {options: {state_size: 4, sparsity: 1}, layers: 2}
"""

PLANTED = """
import torch
from torch import nn

class Leaky(nn.Module):
    '''Reads the next token.'''
    def __init__(self, dim: int, length: int):
        super().__init__()
        self.project = nn.Linear(dim, dim)
    def forward(self, x):
        return self.project(torch.cat((x[:, 1:], x[:, :1]), dim=1))

class Exploding(nn.Module):
    '''Becomes infinite in some members: those whose first weight is negative.'''
    def __init__(self, dim: int, length: int):
        super().__init__()
        self.project = nn.Linear(dim, dim)
    def forward(self, x):
        bad = self.project.weight.flatten()[0] < 0
        return self.project(x) * torch.where(bad, torch.inf, 1.0)

class Stubborn(nn.Module):
    '''Looks at its data, which vmap cannot do.'''
    def __init__(self, dim: int, length: int):
        super().__init__()
        self.project = nn.Linear(dim, dim)
    def forward(self, x):
        return self.project(x) if x.sum().item() < 1e30 else x

class RandomFeatures(nn.Module):
    '''Has a buffer and a frozen parameter that differ from member to member.'''
    def __init__(self, dim: int, length: int):
        super().__init__()
        self.register_buffer("features", torch.randn(dim, dim))
        self.frozen = nn.Parameter(torch.randn(dim), requires_grad=False)
        self.project = nn.Linear(dim, dim)
    def forward(self, x):
        return self.project(x @ self.features * self.frozen)

class WrongShape(nn.Module):
    def __init__(self, dim: int, length: int):
        super().__init__()
        self.project = nn.Linear(dim, 1)
    def forward(self, x):
        return self.project(x)

class Optional(nn.Module):
    def __init__(self, dim: int, length: int, *, gate: bool = True, **rest):
        super().__init__()

class OldSignature(nn.Module):
    def __init__(self, d_model: int, sequence_length: int):
        super().__init__()

class OldTask:
    def __init__(self, generator):
        pass
    def sample(self, count, generator):
        pass
    def solved(self, accuracy):
        pass

class NoModule:
    def __init__(self, dim: int, length: int):
        pass
    def __call__(self, x):
        return x
"""

ENTRY_POINTS = """
[benchbed.mixers]
leaky = planted:Leaky
exploding = planted:Exploding
stubborn = planted:Stubborn
random_features = planted:RandomFeatures
wrong_shape = planted:WrongShape
optional = planted:Optional
no_module = planted:NoModule
quits = planted_quits:Quits
missing = planted:Missing
old_signature = planted:OldSignature
needs = planted_needs:Needs
garbled = planted_garbled:Garbled
mlp_mixer = planted:RandomFeatures

[benchbed.tasks]
old_task = planted:OldTask
no_task = planted:NoModule
"""

BROKEN = {
    "planted_quits": "raise SystemExit(3)",
    "planted_needs": "import a_library_that_nobody_has",
    "planted_garbled": "class Garbled(:",
}


def install(folder: Path, name: str, entry_points: str, **modules: str) -> None:
    """Lay a distribution into a folder as pip would."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(textwrap.dedent(entry_points))
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(textwrap.dedent(source))
