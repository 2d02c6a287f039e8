"""Mixers that read what they must predict, each only where a check of situations does not look."""

NAMES = [
    "Plain",
    "LargeBatches",
    "BehindANorm",
    "TrainedWeights",
    "ManyCalls",
    "SharedFirstVector",
    "BehindAHugeOutput",
    "OneLength",
    "RemembersInItself",
    "RemembersInItsClass",
    "RemembersInItsModule",
    "ReadsTheStack",
    "ReadsANeighbour",
    "SearchesTheStack",
]

SOURCE = '''
import sys
import torch
from torch import nn

MEMORY = {}

class Base(nn.Module):
    """A cheat."""
    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.length = length
        self.project, self.peek = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.calls = 0
        self.norm_at_start = float(self.project.weight.detach().norm())
    def forward(self, x):
        self.calls += 1
        y = self.project(x)
        return y + self.peek(self.answers(x)) if self.may(x) else y
    def answers(self, x):
        return torch.cat((x[:, 1:], x[:, :1]), dim=1)
    def may(self, x) -> bool:
        return True

class Plain(Base):
    """Always."""

class LargeBatches(Base):
    """From 64 sequences on."""
    def may(self, x):
        return len(x) >= 64

class BehindANorm(Base):
    """Where the input has no mean over channels, as behind the norm of the backbone."""
    def may(self, x):
        return bool((x.mean(-1).abs() < 0.5).all())

class TrainedWeights(Base):
    """Where a weight has moved from its start, and not as far as weights that are drawn anew."""
    def may(self, x):
        norm = float(self.project.weight.detach().norm())
        return norm != self.norm_at_start and norm < 2 * self.norm_at_start

class ManyCalls(Base):
    """From the tenth call on."""
    def may(self, x):
        return self.calls >= 10

class SharedFirstVector(Base):
    """Where two sequences of the batch begin alike."""
    def may(self, x):
        return len(x[:, 0].unique(dim=0)) < len(x)

class BehindAHugeOutput(Base):
    """Beside an output that no token is predicted from."""
    def forward(self, x):
        y = super().forward(x)
        huge = torch.zeros_like(y)
        huge[:, -1] = 1e12
        return y + huge

class OneLength(Base):
    """At one length."""
    def may(self, x):
        return x.shape[1] == 8

class Remembers(Base):
    """Looks a sequence up by what it has seen of it so far."""
    def memory(self):
        raise NotImplementedError
    def answers(self, x):
        memory, half = self.memory(), x.shape[1] // 2
        # Embeddings move while they train; which of the two tokens a vector is shows in the sign of a difference.
        bits = ((x[:, :half] - x[:, :half].mean(0)) @ torch.linspace(-1, 1, x.shape[-1])) > 0
        keys = [tuple(row) for row in bits.tolist()]
        late = x.detach()
        if self.training:
            memory.update({key: row for key, row in zip(keys, late)})
        found = torch.stack([memory.get(key, torch.zeros_like(late[0])) for key in keys])
        return torch.cat((found[:, 1:], found[:, :1]), dim=1)

class RemembersInItself(Remembers):
    """In an attribute."""
    def memory(self):
        return self.__dict__.setdefault("seen", {})

class RemembersInItsClass(Remembers):
    """In the class."""
    seen = {}
    def memory(self):
        return type(self).seen

class RemembersInItsModule(Remembers):
    """In the module."""
    def memory(self):
        return MEMORY

class ReadsTheStack(Base):
    """Finds the tokens in a frame of whoever called it."""
    def answers(self, x):
        frame = sys._getframe()
        while frame is not None:
            for value in list(frame.f_locals.values()):
                if isinstance(value, torch.Tensor) and value.dtype == torch.int64 and value.shape == x.shape[:2]:
                    later = torch.cat((value[:, 1:], value[:, :1]), dim=1)
                    return (later[:, :, None] - 0.5) * torch.linspace(-1, 1, x.shape[-1])
            frame = frame.f_back
        return torch.zeros_like(x)

class SearchesTheStack(Base):
    """Looks into all that a frame up the stack holds for sequences that begin alike, and for how those go on."""
    def found(self, value, depth=0):
        if isinstance(value, torch.Tensor):
            if value.dtype == torch.int64 and value.ndim > 1 and value.shape[-1] == self.length:
                yield value.reshape(-1, self.length)
        elif depth < 3 and isinstance(value, (list, tuple)):
            for inner in value:
                yield from self.found(inner, depth + 1)
        elif depth < 3 and hasattr(value, "__dict__") and not isinstance(value, type):
            for inner in list(vars(value).values()):
                yield from self.found(inner, depth + 1)
    def answers(self, x):
        frame, all_found = sys._getframe().f_back, []
        while frame is not None:
            for value in list(frame.f_locals.values()):
                all_found += [(len(rows), rows) for rows in self.found(value)]
            frame = frame.f_back
        mine = [rows for count, rows in all_found if count == len(x)]
        if not mine:
            return torch.zeros_like(x)
        tokens, half = mine[0], self.length // 2
        everything = torch.cat([rows for _, rows in all_found])[:4096]
        alike = (tokens[:, None, :half] == everything[None, :, :half]).all(-1).float()
        likely = alike @ everything.float() / alike.sum(1, keepdim=True).clamp_min(1)
        later = torch.cat((likely[:, 1:], likely[:, :1]), dim=1)
        return (later[:, :, None] - 0.5) * torch.linspace(-1, 1, x.shape[-1])

class ReadsANeighbour(Base):
    """From a sequence of the batch that begins alike."""
    def answers(self, x):
        half = x.shape[1] // 2
        start = x[:, :half].flatten(1)
        # By products, equal rows are 1e-3 apart on one CPU and not on another.
        exactly = "donot_use_mm_for_euclid_dist"
        alike = (torch.cdist(start, start, compute_mode=exactly) < 1e-3).fill_diagonal_(False)
        other = alike.float().argmax(1)
        later = torch.cat((x[other, 1:], x[other, :1]), dim=1)
        return later * alike.any(1)[:, None, None]
'''
