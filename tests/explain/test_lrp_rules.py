"""Each rule of weighted layers against its published formula, written out from the layer's Jacobian in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from auditor.explain.composites import COMPOSITES, AlphaBeta, Composite, Epsilon, Gamma
from auditor.explain.lrp import Relevance, lrp
from tests.explain.doubled import Double, explained
from tests.intake.zoo_packages import installed

EXACT = 1e-9
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "conv1d": (lambda: nn.Conv1d(2, 3, 3, stride=2, padding=1), (2, 7)),
    "conv2d": (lambda: nn.Conv2d(2, 3, 3, padding=1), (2, 5, 4)),
    "conv2d without bias": (lambda: nn.Conv2d(2, 4, 2, groups=2, bias=False), (2, 4, 4)),
    "conv3d": (lambda: nn.Conv3d(1, 2, 2), (1, 3, 3, 3)),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 2, stride=2), (2, 3, 3)),
}


def behind(layer: nn.Module, shape: tuple[int, ...]) -> tuple[nn.Module, Tensor, Tensor]:
    """The layer, flattened, before a linear head of one class; an input; the head's weights."""
    x = torch.randn(2, *shape, dtype=torch.float64)
    layer = layer.double()
    head = nn.Linear(layer(x)[0].numel(), 1, bias=False).double()
    return nn.Sequential(layer, nn.Flatten(), head), x, head.weight[0].detach()


def of_value(module: nn.Module, x: Tensor, composite: Composite) -> Relevance:
    """Of a network that gives one value, its inputs between -3 and 4."""
    return explained(module, x, composite=composite, output="value", bounds=(-3.0, 4.0))


def contributions(layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of one sample (1, ...): z (K, J) = a_j w_kj, the bias (K,), the Jacobian (K, J), the outputs (K,)."""
    jacobian = torch.autograd.functional.jacobian(lambda a: layer(a).flatten(), x).reshape(-1, x.numel()).detach()
    y = layer(x).flatten().detach()
    z = jacobian * x.flatten()
    return z, y - z.sum(1), jacobian, y


def by_sign(z: Tensor, bias: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What speaks for each output and what against it: of the inputs, of the bias."""
    same = torch.sign(y)[:, None] * z > 0
    b_same = torch.sign(y) * bias > 0
    return z * same, z * ~same, bias * b_same, bias * ~b_same


def over(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b == 0, 0, a / torch.where(b == 0, 1, b))


def gamma_rule(layer: nn.Module, x: Tensor, relevance: Tensor, gamma: float = 0.25) -> Tensor:
    """R_j = sum_k (z_kj + gamma z'_kj) / (y_k + gamma (sum_j z'_kj + b'_k)) R_k, ' being what has the sign of y."""
    z, bias, _, y = contributions(layer, x)
    own, _, b_own, _ = by_sign(z, bias, y)
    total = y + gamma * (own.sum(1) + b_own)
    return ((z + gamma * own) * over(relevance, total)[:, None]).sum(0)


def alpha_beta(layer: nn.Module, x: Tensor, relevance: Tensor, alpha: float, beta: float) -> Tensor:
    """R_j = sum_k (alpha z'_kj / (sum z'_k + b'_k) - beta z''_kj / (sum z''_k + b''_k)) R_k."""
    z, bias, _, y = contributions(layer, x)
    own, other, b_own, b_other = by_sign(z, bias, y)
    up, down = over(relevance, own.sum(1) + b_own), over(relevance, other.sum(1) + b_other)
    return (alpha * own * up[:, None] - beta * other * down[:, None]).sum(0)


def epsilon_rule(layer: nn.Module, x: Tensor, relevance: Tensor, epsilon: float) -> Tensor:
    """R_j = sum_k z_kj / (y_k + epsilon rms(y) sign(y_k)) R_k."""
    z, _, _, y = contributions(layer, x)
    held = epsilon * y.square().mean().sqrt() * torch.where(y < 0, -1.0, 1.0)
    return (z * (relevance / (y + held))[:, None]).sum(0)


def w_square(layer: nn.Module, x: Tensor, relevance: Tensor) -> Tensor:
    """R_j = sum_k w_kj^2 / sum_j w_kj^2 R_k."""
    w = contributions(layer, x)[2].square()
    return (w * over(relevance, w.sum(1))[:, None]).sum(0)


def flat(layer: nn.Module, x: Tensor, relevance: Tensor) -> Tensor:
    """R_j = sum_k R_k / n_k, n_k being the inputs that the output sees."""
    seen = (contributions(layer, x)[2] != 0).double()
    return (seen * over(relevance, seen.sum(1))[:, None]).sum(0)


def z_box(layer: nn.Module, x: Tensor, relevance: Tensor, low: float = -3.0, high: float = 4.0) -> Tensor:
    """R_j = sum_k (x_j w_kj - low w+_kj - high w-_kj) / (their sum over j) R_k."""
    z, _, w, _ = contributions(layer, x)
    parts = z - low * w.clamp_min(0) - high * w.clamp_max(0)
    return (parts * over(relevance, parts.sum(1))[:, None]).sum(0)


RULES: dict[str, tuple[Composite, Callable[[nn.Module, Tensor, Tensor], Tensor]]] = {
    "gamma": (Composite(convolution=Gamma(0.25)), gamma_rule),
    "z-plus": (Composite(convolution=AlphaBeta(1, 0)), lambda m, x, r: alpha_beta(m, x, r, 1, 0)),
    "alpha 2 beta 1": (Composite(convolution=AlphaBeta(2, 1)), lambda m, x, r: alpha_beta(m, x, r, 2, 1)),
    "epsilon": (Composite(convolution=Epsilon(0.1)), lambda m, x, r: epsilon_rule(m, x, r, 0.1)),
    "epsilon 0": (Composite(), lambda m, x, r: epsilon_rule(m, x, r, 0)),
    "w-square": (Composite(first="w_square"), w_square),
    "flat": (COMPOSITES["epsilon_plus_flat"], flat),
    "z-B": (COMPOSITES["epsilon_gamma_box"], z_box),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_gives_what_its_formula_gives(rule: str, name: str) -> None:
    torch.manual_seed(5)
    make, shape = LAYERS[name]
    layer = make()
    module, x, weights = behind(layer, shape)
    composite, formula = RULES[rule]
    found = of_value(module, x, composite)

    for i in range(len(x)):
        relevance = weights * layer(x[i : i + 1]).flatten().detach()
        expected = formula(layer, x[i : i + 1], relevance).view(shape)
        assert torch.allclose(found.shares[i], expected, atol=EXACT)
    assert found.ledger_error.max() < EXACT


@pytest.mark.parametrize("rule", ["gamma", "z-plus", "alpha 2 beta 1", "epsilon"])
def test_dense_layers_have_the_same_formulas(rule: str) -> None:
    torch.manual_seed(6)
    layer = nn.Linear(5, 4)
    module, x, weights = behind(layer, (5,))
    composite, formula = RULES[rule]
    found = of_value(nn.Sequential(module[0], module[2]), x, Composite(dense=composite.convolution))
    last = nn.Linear(4, 1, bias=False).double()
    last.weight.data = weights[None].clone()

    for i in range(len(x)):
        y = layer(x[i : i + 1]).flatten().detach()
        relevance = formula(last, y[None], last(y[None]).flatten())
        assert torch.allclose(found.shares[i], formula(layer, x[i : i + 1], relevance), atol=EXACT)


@pytest.mark.parametrize("rule", ["gamma", "z-plus", "alpha 2 beta 1"])
def test_a_batch_norm_is_a_layer_of_one_input_an_output(rule: str) -> None:
    """Its scale and shift are two contributions to each output, under the rule of the convolutions."""
    torch.manual_seed(7)
    norm = nn.BatchNorm2d(3).double().eval()
    for t in (norm.weight.data, norm.bias.data, norm.running_mean):
        t.normal_()
    norm.running_var.uniform_(0.5, 2)
    module, x, weights = behind(norm, (3, 4, 4))
    composite, formula = RULES[rule]
    found = of_value(module.eval(), x, composite)

    for i in range(len(x)):
        relevance = weights * norm(x[i : i + 1]).flatten().detach()
        assert torch.allclose(found.shares[i], formula(norm, x[i : i + 1], relevance).view(3, 4, 4), atol=EXACT)
    assert found.ledger_error.max() < EXACT


def test_merging_a_batch_norm_beforehand_moves_no_share_under_epsilon() -> None:
    """The norm's scale and constant are a convolution's: LRP-0 gives the same with and without merging."""
    torch.manual_seed(8)
    conv, norm = nn.Conv2d(2, 3, 3).double(), nn.BatchNorm2d(3).double().eval()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    merged = torch.nn.utils.fusion.fuse_conv_bn_eval(conv.eval(), norm)
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64)
    end = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(27, 1)).double()

    apart = of_value(nn.Sequential(conv, norm, end), x, Composite())
    together = of_value(nn.Sequential(merged, end), x, Composite())

    assert torch.allclose(apart.shares, together.shares, atol=EXACT)
    assert torch.allclose(apart.constants, together.constants, atol=EXACT)


@pytest.mark.parametrize(
    "composite", ["epsilon_plus", "epsilon_plus_flat", "epsilon_alpha2_beta1", "epsilon_gamma_box"]
)
def test_on_a_relu_net_a_composite_is_zennits(composite: str) -> None:
    """Positive outputs alone carry relevance there, so that its rules and these are the same."""
    installed("torchvision")  # which zennit imports
    zennit = pytest.importorskip("zennit.composites", reason="zennit is not installed")
    torch.manual_seed(9)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, 2)
    ).double()
    x = torch.rand(2, 3, 6, 6, dtype=torch.float64) * 7 - 3
    theirs = {
        "epsilon_plus": lambda: zennit.EpsilonPlus(epsilon=1e-12, stabilizer=1e-12),
        "epsilon_plus_flat": lambda: zennit.EpsilonPlusFlat(epsilon=1e-12, stabilizer=1e-12),
        "epsilon_alpha2_beta1": lambda: zennit.EpsilonAlpha2Beta1(epsilon=1e-12, stabilizer=1e-12),
        "epsilon_gamma_box": lambda: zennit.EpsilonGammaBox(-3.0, 4.0, epsilon=1e-12, stabilizer=1e-12),
    }
    model = Double(net, ("a", "b"), bounds=(-3.0, 4.0))
    with model.frozen():
        found = lrp(model, x, torch.tensor([1, 1]), composite=COMPOSITES[composite])
    leaf = x.clone().requires_grad_()
    with theirs[composite]().context(net) as modified:
        y = modified(leaf)
        (expected,) = torch.autograd.grad(y, leaf, torch.stack([torch.zeros(2).double(), y[:, 1].detach()], 1))

    assert torch.allclose(found.shares, expected, rtol=1e-5, atol=1e-8)


def test_a_batch_norm_of_vectors_goes_with_the_linear_layers() -> None:
    """No convolution is near it: a composite's rule for those says nothing of it."""
    torch.manual_seed(12)
    norm = nn.BatchNorm1d(4)
    norm.running_mean.normal_()
    net = nn.Sequential(nn.Linear(3, 4), norm, nn.ReLU(), nn.Linear(4, 1)).double()
    x = torch.randn(2, 3, dtype=torch.float64)

    plain, plus = of_value(net, x, COMPOSITES["epsilon"]), of_value(net, x, COMPOSITES["epsilon_plus"])

    assert torch.allclose(plain.shares, plus.shares, atol=EXACT)
