import pytest
import torch

from benchbed.config.tracks import OptimiserSettings
from benchbed.training.optimiser import RowAdamW


@pytest.mark.parametrize("warmup", [0, 4])
def test_every_row_moves_as_torchs_adamw_moves_it(warmup):
    torch.manual_seed(0)
    rates = [3e-4, 1e-3, 3e-2]
    start = torch.randn(3, 50)
    gradients = torch.randn(20, 3, 50)
    settings = OptimiserSettings(learning_rates=rates, betas=[0.9, 0.99], weight_decay=0.1, warmup_steps=warmup)
    ours = RowAdamW(start.clone(), torch.tensor(rates)[:, None], settings)
    for number, gradient in enumerate(gradients, start=1):
        ours.step(gradient, number)
    for row, rate in enumerate(rates):
        parameter = start[row].clone().requires_grad_()
        theirs = torch.optim.AdamW([parameter], lr=rate, betas=(0.9, 0.99), weight_decay=0.1)
        for number, gradient in enumerate(gradients, start=1):
            theirs.param_groups[0]["lr"] = rate * min(1, number / max(1, warmup))
            parameter.grad = gradient[row]
            theirs.step()
        assert torch.allclose(ours.weights[row], parameter, atol=1e-6)


def test_dropping_rows_leaves_the_others_bit_for_bit():
    settings = OptimiserSettings(learning_rates=[0.01], betas=[0.9, 0.999], weight_decay=0.01, warmup_steps=0)

    def fresh():
        torch.manual_seed(1)
        return RowAdamW(torch.randn(3, 9), torch.full((3, 1), 0.01), settings)

    whole, dropped = fresh(), fresh()
    gradients = torch.randn(6, 3, 9)
    for number in range(1, 4):
        whole.step(gradients[number - 1], number)
        dropped.step(gradients[number - 1], number)
    dropped.keep(torch.tensor([0, 2]))
    for number in range(4, 7):
        whole.step(gradients[number - 1], number)
        dropped.step(gradients[number - 1][[0, 2]], number)
    assert torch.equal(whole.weights[[0, 2]], dropped.weights)
