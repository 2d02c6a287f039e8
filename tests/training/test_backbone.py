import torch
from torch import nn

from benchbed.training.backbone import Backbone


def build(scored, layers=1):
    torch.manual_seed(0)
    return Backbone(
        lambda: nn.Linear(8, 8), vocabulary=3, scored=torch.tensor(scored), dim=8, mlp_dim=16, layers=layers
    )


def everywhere(model, tokens):
    """The same model, computed at every position."""
    x = model.tokens(tokens) + model.positions
    for block in model.blocks:
        x = block(x)
    return model.head(model.norm(x))


def test_scored_positions_only_equals_everywhere():
    tokens = torch.randint(0, 3, (5, 6))
    for scored in ([False, False, True, True, True, False], [False, True, False, False, True, True]):
        for layers in (1, 2):
            model = build(scored, layers)
            predicting = torch.tensor(scored).nonzero().flatten() - 1
            assert torch.allclose(model(tokens), everywhere(model, tokens)[:, predicting], atol=1e-6)


def test_the_channel_mlp_is_timms():
    """Its weights drawn alike from the same seed, and the same function to the last bit."""
    from timm.layers.mlp import Mlp

    model = build([False, True, True])
    mlp = next(module for name, module in model.named_modules() if name.endswith(".mlp"))
    torch.manual_seed(1)
    theirs = Mlp(8, 16)
    torch.manual_seed(1)
    for layer in mlp.modules():
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
    for mine, its in zip(mlp.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, its)
    x = torch.randn(4, 3, 8)
    assert torch.equal(mlp(x), theirs(x))


def test_embeddings_start_small_and_the_mixers_own_initialisation_is_left_alone():
    torch.manual_seed(0)

    def ones():
        mixer = nn.Linear(8, 8)
        nn.init.constant_(mixer.weight, 7.0)
        return mixer

    model = Backbone(ones, vocabulary=500, scored=torch.arange(400) > 0, dim=8, mlp_dim=16, layers=1)
    assert abs(float(model.tokens.weight.detach().std()) - 0.02) < 0.002
    assert abs(float(model.positions.detach().std()) - 0.02) < 0.002
    weights = [p for name, p in model.named_parameters() if name.endswith("mixer.weight")]
    assert weights
    assert all(bool((weight == 7.0).all()) for weight in weights)
