"""Every rule of the ledger, re-derived; and the promise that it closes on any architecture."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.errors import NotApplicable
from auditor.explain.composites import COMPOSITES, Named
from auditor.explain.lrp import lrp
from auditor.subject import Model
from tests import zoo
from tests.explain.doubled import explained

EXACT = 1e-12


class Calls(nn.Module):
    """A module that is one function of its input, with the tensors that the function uses."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


torch.manual_seed(0)
X = torch.randn(3, 6, dtype=torch.float64)
IMAGES = torch.randn(2, 3, 8, 8, dtype=torch.float64)
SEQUENCE = torch.randn(2, 5, 8, dtype=torch.float64)


# ---- rules by their own derivation -------------------------------------------------------------------------------
def test_a_linear_model_shares_w_times_x_and_the_bias_is_a_constant() -> None:
    head = nn.Linear(6, 2)
    found = explained(head, X, 1)

    assert torch.allclose(found.shares, X * head.weight[1].detach(), atol=EXACT)
    assert torch.allclose(found.constants, head.bias[1].detach().expand(3), atol=EXACT)
    share = found.constants.abs() / (found.constants.abs() + found.shares.abs().sum(1))
    assert torch.allclose(found.constant_share, share, atol=EXACT)


def test_lrp_0_is_input_times_gradient_on_relu_networks() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2)
    )
    found = explained(net, IMAGES, 1)
    leaf = IMAGES.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)

    assert torch.allclose(found.shares, IMAGES * gradient, atol=EXACT)


def test_epsilon_zero_rule_from_the_jacobians_of_two_layers() -> None:
    """R_j = sum_k a_j w_kj / z_k R_k, layer by layer, written out with matrices."""
    first, second = nn.Linear(6, 5).double(), nn.Linear(5, 3).double()
    hidden = torch.relu(first(X))
    z1, z2 = first(X), second(hidden)
    r2 = torch.zeros_like(z2)
    r2[:, 2] = z2[:, 2]
    r1 = hidden * ((r2 / z2) @ second.weight)
    r0 = X * ((r1 / torch.where(z1 == 0, 1, z1)) @ first.weight)

    found = explained(nn.Sequential(first, nn.ReLU(), second), X, 2)

    assert torch.allclose(found.shares, r0.detach(), atol=1e-10)


def test_identity_rule_passes_relevance_through_activations() -> None:
    for activation in (
        nn.GELU(),
        nn.SiLU(),
        nn.Tanh(),
        nn.ELU(),
        nn.Hardswish(),
        nn.ReLU6(),
        nn.LeakyReLU(),
        nn.Mish(),
    ):
        head = nn.Linear(6, 2)
        found = explained(nn.Sequential(activation, head), X, 1)

        assert torch.allclose(found.shares, activation(X) * head.weight[1].detach(), atol=1e-10)


def test_what_an_activation_gives_for_nothing_is_a_constant() -> None:
    """sigmoid(0) is one half, whatever the input; only the rest is the input's."""
    head = nn.Linear(6, 2, bias=False)
    found = explained(nn.Sequential(nn.Sigmoid(), head), X, 1)

    assert torch.allclose(found.shares, (torch.sigmoid(X) - 0.5) * head.weight[1].detach(), atol=1e-10)
    assert torch.allclose(found.constants, (0.5 * head.weight[1].detach()).sum().expand(3), atol=1e-10)


def test_a_product_gives_half_to_each_factor_and_a_gate_takes_nothing() -> None:
    product = explained(Calls(lambda x: x[:, :2] * x[:, 2:4]), X)
    gated = explained(Calls(lambda x: x[:, :2] * torch.sigmoid(x[:, 2:4])), X)

    both = X[:, 0] * X[:, 2]
    assert torch.allclose(product.shares[:, 0], both / 2) and torch.allclose(product.shares[:, 2], both / 2)
    assert torch.allclose(gated.shares[:, 0], X[:, 0] * torch.sigmoid(X[:, 2]))
    assert not gated.shares[:, 2:].any()


def test_norms_hold_their_deviation_and_count_their_bias() -> None:
    norm = nn.LayerNorm(6).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    found = explained(nn.Sequential(norm, Calls(lambda x: x[:, :2])), X, 1)
    deviation = (X.var(1, correction=0) + norm.eps).sqrt()
    centring = torch.eye(6).double() - 1 / 6
    expected = X * centring[1] / deviation[:, None] * norm.weight[1].detach()

    assert torch.allclose(found.shares, expected, atol=1e-10)
    assert torch.allclose(found.constants, norm.bias[1].detach().expand(3), atol=1e-10)


def test_attention_weights_are_constant_factors() -> None:
    """Relevance follows the values: with weights a, the output sum_t a_t v_t shares a_t v_t."""
    query = torch.randn(1, 5, 4, dtype=torch.float64)

    def attend(x: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(query.expand(len(x), -1, -1), x[..., :4], x[..., 4:]).mean(1)

    found = explained(Calls(attend), SEQUENCE, 1)
    weights = (query @ SEQUENCE[..., :4].transpose(1, 2) / 2).softmax(-1).mean(1)

    assert torch.allclose(found.shares[..., 5], weights * SEQUENCE[..., 5], atol=1e-10)
    assert not found.shares[..., :4].any()


# ---- the ledger closes -------------------------------------------------------------------------------------------
WEIGHT = torch.randn(8, 8, dtype=torch.float64)
FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], Tensor]] = {
    "operators": (lambda x: 2 - (x * 3 + 1) / 4 - x + 5, X),
    "operators in place": (lambda x: (x.clone().mul_(2).add_(1)).sub_(0.5), X),
    "augmented assignment": (lambda x: _augmented(x), X),  # noqa: PLW0108 - defined below
    "constant over input": (lambda x: 1 / (x + 10), X),
    "input over input": (lambda x: x[:, :3] / (x[:, 3:] + 7), X),
    "power and root": (lambda x: (x**2 + 1).sqrt() + x.abs(), X),
    "exp and log": (lambda x: (x.exp() + 1).log(), X),
    "clamp": (lambda x: x.clamp(-0.5, 0.7) + x.clamp_min(0.2), X),
    "matmul": (lambda x: (x @ x.transpose(-1, -2)).flatten(1)[:, :4], SEQUENCE),
    "matmul with constants": (lambda x: (x @ WEIGHT).mean(1), SEQUENCE),
    "einsum": (lambda x: torch.einsum("bij,bkj->bik", x, x).flatten(1), SEQUENCE),
    "bmm and softmax": (lambda x: torch.bmm((x @ x.mT).softmax(-1), x).mean(1), SEQUENCE),
    "cat with a constant": (lambda x: torch.cat([x, torch.ones(len(x), 2, dtype=x.dtype)], 1) @ WEIGHT, X),
    "stack and where": (lambda x: torch.where(torch.stack([x, -x], 1) > 0, torch.stack([x, -x], 1), 0.3).mean(1), X),
    "pad with a value": (lambda x: functional.pad(x, (1, 1), value=0.7)[:, :4] + functional.pad(x, (1, 1))[:, 2:6], X),
    "masked fill": (lambda x: x.masked_fill(x > 0.5, 0.25), X),
    "normalize": (lambda x: functional.normalize(x, dim=1), X),
    "standardise by hand": (lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True), X),
    "rms norm by hand": (lambda x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-5), X),
    "log softmax": (lambda x: functional.log_softmax(x, 1), X),
    "pooling": (lambda x: functional.adaptive_max_pool2d(functional.avg_pool2d(x, 2), 1).flatten(1), IMAGES),
    "interpolation": (lambda x: functional.interpolate(x, scale_factor=2, mode="bilinear").mean((2, 3)), IMAGES),
    "group norm": (
        lambda x: functional.group_norm(x, 3, torch.ones(3).double(), torch.ones(3).double()).mean((2, 3)),
        IMAGES,
    ),
    "instance norm": (lambda x: functional.instance_norm(x).amax((2, 3)), IMAGES),
    "rms norm": (lambda x: functional.rms_norm(x, (6,)), X),
    "squeeze and excite": (
        lambda x: (x * torch.sigmoid(x.mean((2, 3)) * 3)[:, :, None, None].expand_as(x)).mean((2, 3)),
        IMAGES,
    ),
    "addmm": (lambda x: torch.addmm(torch.ones(8).double(), x, WEIGHT[:6]), X),
}


def _augmented(x: Tensor) -> Tensor:
    y = x * 2
    y += 3
    y -= x
    y *= 0.5
    y /= 4
    return y


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_ledger_closes_on_functional_code(name: str) -> None:
    function, x = FUNCTIONS[name]
    found = explained(Calls(function), x, 1)
    plain = function(x)[:, 1]

    assert torch.allclose(found.logit, plain, atol=1e-9)
    assert float(found.ledger_error.max()) < 1e-8
    assert found.unknown == ()


def _pooled(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


LAYERS: dict[str, tuple[Callable[[], nn.Module], Tensor]] = {
    "attention": (lambda: Calls(_Attend(need_weights=False)), SEQUENCE),
    "attention with weights": (lambda: Calls(_Attend(need_weights=True)), SEQUENCE),
    "transformer layer": (
        lambda: nn.Sequential(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), Calls(lambda x: x.mean(1))),
        SEQUENCE,
    ),
    "transposed convolution": (lambda: _pooled(nn.ConvTranspose2d(3, 2, 3, 2)), IMAGES),
    "grouped and dilated": (lambda: _pooled(nn.Conv2d(3, 6, 3, groups=3, dilation=2)), IMAGES),
    "circular padding": (lambda: _pooled(nn.Conv2d(3, 2, 3, padding=1, padding_mode="circular")), IMAGES),
    "one dimension": (lambda: nn.Sequential(nn.Conv1d(5, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2)), SEQUENCE),
    "local response norm": (lambda: _pooled(nn.LocalResponseNorm(2)), IMAGES),
    "prelu and dropout": (lambda: nn.Sequential(nn.PReLU(), nn.Dropout(0.5), nn.Linear(6, 2)), X),
}


class _Attend:
    def __init__(self, *, need_weights: bool) -> None:
        self.layer = nn.MultiheadAttention(8, 2, batch_first=True).double().eval()
        self.need_weights = need_weights

    def __call__(self, x: Tensor) -> Tensor:
        return self.layer(x, x, x, need_weights=self.need_weights)[0].mean(1)


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("name", LAYERS)
def test_the_ledger_closes_on_layers(name: str, composite: Named) -> None:
    make, x = LAYERS[name]
    torch.manual_seed(1)
    found = explained(make(), x, 1, composite=COMPOSITES[composite])

    assert float(found.ledger_error.max()) < 1e-8
    assert found.unknown == ()


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("name", sorted(set(zoo.ZOO) - {"constant", "texts"}))
def test_the_ledger_closes_on_the_zoo_in_float32(name: str, composite: Named) -> None:
    from auditor.intake.outputs import settle

    case = zoo.ZOO[name]()
    model, _ = settle(case.model, case.data)
    x = next(case.data.batches(6)).x
    with model.frozen():
        plain = model(x)
        found = lrp(model, x, plain.argmax(1), composite=COMPOSITES[composite])

    assert float(found.ledger_error.max()) < 1e-4
    assert torch.equal(found.shares.isfinite(), torch.ones_like(x, dtype=torch.bool))


def test_a_program_of_torch_export_is_followed_like_the_module() -> None:
    case = zoo.batch_norm()
    x = next(case.data.batches(1)).x
    module = case.model.module.eval()
    program = torch.export.export(module, (x,)).module()
    target = torch.tensor([1])

    with torch.no_grad():
        for p in program.parameters():
            p.requires_grad_(False)
    with case.model.frozen():
        expected = lrp(case.model, x, target, composite=COMPOSITES["epsilon_gamma"])
    found = lrp(Model(program, case.model.classes), x, target, composite=COMPOSITES["epsilon_gamma"])

    assert torch.allclose(found.shares, expected.shares, atol=1e-6)
    assert float(found.ledger_error.max()) < 1e-4


# ---- probabilities, and what cannot be followed ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("end", "classes"), [(nn.Softmax(1), 3), (nn.Sigmoid(), 1), (Calls(lambda x: functional.softmax(x, 1)), 3)]
)
def test_a_model_that_ends_in_probabilities_is_explained_from_its_logits(end: nn.Module, classes: int) -> None:
    head = nn.Linear(6, classes)
    found = explained(nn.Sequential(head, end), X, 1, output="probabilities")
    logits = head(X).detach()
    expected = logits[:, 1] if classes == 3 else logits[:, 0] / 2

    assert torch.allclose(found.logit, expected, atol=1e-10)
    assert float(found.ledger_error.max()) < EXACT


class Twice(nn.Module):
    """Gives something else each time it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        return x * self.runs


@pytest.mark.parametrize(
    ("module", "output", "message"),
    [
        (Calls(lambda x: (x > 0).to(x.dtype)), "logits", "no gradient"),
        (Calls(lambda x: torch.ones(3, 2, dtype=x.dtype) + 0 * x.detach()[:, :2]), "logits", "no gradient"),
        (Twice(), "logits", "changes its output"),
        (Calls(lambda x: x.abs() / x.abs().sum(1, keepdim=True)), "probabilities", "no softmax or sigmoid is found"),
    ],
)
def test_what_cannot_be_followed_is_said(module: nn.Module, output: str, message: str) -> None:
    with pytest.raises(NotApplicable, match=message):
        explained(module, X, 1, output=output)


def test_a_function_without_a_rule_is_named() -> None:
    found = explained(Calls(lambda x: torch.cummax(x, 1).values), X, 1)

    assert found.unknown == ("cummax",)


def test_a_part_that_hides_its_functions_is_said() -> None:
    module = nn.Sequential(nn.Linear(6, 2), torch.jit.script(nn.Linear(2, 2)))

    with pytest.raises(NotApplicable, match="a part of the model is TorchScript"):
        lrp(Model(module, ("a", "b")), X.float(), torch.zeros(3).long())
