"""Grad-CAM against captum, class activation mapping, and a planted patch; the layer by its rule."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from auditor.errors import NotApplicable, UsageError
from auditor.explain.gradcam import gradcam, named_grids
from auditor.explain.grids import Grid
from auditor.subject import Model
from tests import zoo


def conv_net() -> nn.Sequential:
    """Ends in convolution, global average pooling, linear: where Grad-CAM is class activation mapping."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 5, 3, 2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 4),
    ).eval()


X = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
TARGET = torch.tensor([0, 1, 2, 3, 0, 1])
CLASSES = ("a", "b", "c", "d")


@pytest.mark.filterwarnings("ignore:Setting .*backward hooks:UserWarning")
def test_is_captums_on_the_same_layer() -> None:
    from captum.attr import LayerGradCam

    net = conv_net()
    found = gradcam(Model(net, CLASSES), X, TARGET)
    expected = LayerGradCam(net, net[3]).attribute(X, target=TARGET, relu_attributions=True)[:, 0].detach()

    assert found.layer == "3"
    assert torch.allclose(found.maps, expected, atol=1e-6)


def test_is_class_activation_mapping_before_average_pooling() -> None:
    net = conv_net()
    found = gradcam(Model(net, CLASSES), X, TARGET)
    with torch.no_grad():
        activations = net[:4](X)
        cam = torch.einsum("nchw,nc->nhw", activations, net[6].weight[TARGET]).clamp_min(0)
    cells = activations.shape[2] * activations.shape[3]

    assert torch.allclose(found.maps * cells, cam, atol=1e-5)
    assert found.agreement == pytest.approx(torch.ones(6), abs=1e-5)  # nothing is lost to averaging here


def test_hirescam_disagrees_where_averaging_moves_the_map() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 4)).eval()

    assert gradcam(Model(net, CLASSES), X, TARGET).agreement.nan_to_num(0).min() < 0.9


def test_finds_what_a_model_looks_at() -> None:
    """The class is the brightness of the upper left quarter alone."""
    conv = nn.Conv2d(1, 1, 1)
    conv.weight.data.fill_(1)
    conv.bias.data.zero_()
    head = nn.Linear(64, 2)
    head.weight.data.zero_()
    head.bias.data.zero_()
    mask = torch.zeros(8, 8)
    mask[:4, :4] = 1
    head.weight.data[1] = mask.flatten()
    x = torch.zeros(1, 1, 8, 8)
    x[..., :4, :4] = 1

    found = gradcam(Model(nn.Sequential(conv, nn.ReLU(), nn.Flatten(), head), ("no", "yes")), x, torch.tensor([1]))

    assert found.maps[0, :4, :4].sum() == pytest.approx(float(found.maps.sum()))


class Tokens(nn.Module):
    """Patches with or without a class token, read out from the mean, or from the class token alone."""

    def __init__(self, class_token: bool, from_class_token: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patch, self.mix = (
            nn.Conv2d(3, 8, 4, 4),
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0),
        )
        self.last, self.head = nn.Linear(8, 8), nn.Linear(8, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 8)) if class_token else None
        self.from_class_token = from_class_token

    def forward(self, x: Tensor) -> Tensor:
        t = self.patch(x).flatten(2).transpose(1, 2)
        if self.token is not None:
            t = torch.cat([self.token.expand(len(t), -1, -1), t], 1)
        t = self.last(self.mix(t))
        return self.head(t[:, 0] if self.from_class_token else t.mean(1))


@pytest.mark.parametrize("class_token", [False, True])
def test_tokens_are_folded_into_their_grid(class_token: bool) -> None:
    found = gradcam(Model(Tokens(class_token, from_class_token=False).eval(), CLASSES), X, TARGET)

    assert found.layer == "last"
    assert found.maps.shape == (6, 4, 4)


def test_a_layer_without_gradient_gives_way_to_the_one_before() -> None:
    """Read out from the class token alone, the patches of the last layer have no gradient."""
    found = gradcam(Model(Tokens(class_token=True, from_class_token=True).eval(), CLASSES), X, TARGET)

    assert found.layer != "last"
    assert found.maps.abs().sum() > 0


def test_layers_that_work_in_place_are_seen_as_they_were() -> None:
    net = conv_net()
    in_place = conv_net()
    for i in (1, 3):
        in_place[i] = nn.ReLU(inplace=True)

    expected, found = (gradcam(Model(m, CLASSES), X, TARGET).maps for m in (net, in_place))

    assert torch.equal(found, expected)


def test_nothing_is_left_on_the_model() -> None:
    net = conv_net()
    gradcam(Model(net, CLASSES), X, TARGET)

    assert not any(m._forward_hooks for m in net.modules())


def test_a_model_without_a_grid_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="no layer of the model has spatial extent"):
        gradcam(Model(nn.Sequential(nn.Flatten(), nn.Linear(768, 4)), CLASSES), X[:1], TARGET[:1])


def test_a_dead_layer_gives_an_empty_map_without_an_agreement() -> None:
    dead = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2))
    dead[0].bias.data.fill_(-9)

    found = gradcam(Model(dead, ("a", "b")), zoo.images()[:2], torch.tensor([0, 1]))

    assert not found.maps.any()
    assert bool(found.agreement.isnan().all())


# ---- the layer: by rule, or by name ------------------------------------------------------------------------------
def test_the_rule_goes_back_further_than_one_pass_looks() -> None:
    """Twenty layers behind the last that the logits depend on have a grid and no gradient."""

    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 4)
            self.idle = nn.ModuleList([nn.Identity() for _ in range(20)])

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            for idle in self.idle:
                idle(y)
            return self.head(y.mean((2, 3)))

    assert gradcam(Model(Late().eval(), CLASSES), X, TARGET).layer == "conv"


def test_layers_are_found_by_name_and_others_refused_in_one_line() -> None:
    model = Model(conv_net(), CLASSES)

    assert named_grids(model, X, ("0", "2")) == {"0": Grid(16, 16), "2": Grid(7, 7)}
    with pytest.raises(UsageError, match=r"no layer '9' with spatial extent .* the last that do: '0', '1', '2', '3'$"):
        named_grids(model, X, ("2", "9"))
    with pytest.raises(UsageError, match="no layer '6' with spatial extent"):  # it runs, and has no grid
        named_grids(model, X, ("6",))


def test_a_model_whose_logits_depend_on_no_layer_says_so() -> None:
    net = conv_net()
    net[6].weight.data.zero_()

    with pytest.raises(
        NotApplicable, match="no layer of the model has spatial extent and a gradient: it is 0 in all 4"
    ):
        gradcam(Model(net, CLASSES), X, TARGET)


def test_probabilities_that_are_rounded_to_one_are_named_as_the_reason() -> None:
    net = conv_net()
    net[6].bias.data = torch.tensor([200.0, 0.0, 0.0, 0.0])
    model = Model(nn.Sequential(*net, nn.Softmax(1)), CLASSES, output="probabilities")

    with pytest.raises(NotApplicable, match="which have no gradient where they are rounded to 0 or 1"):
        gradcam(model, X, torch.zeros(6, dtype=torch.long))


# ---- models of other kinds ---------------------------------------------------------------------------------------
def test_a_model_that_returns_a_tuple_is_explained_by_the_part_that_holds_its_logits() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = conv_net()

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, self.net(x)

    found = gradcam(Model(Both().eval(), CLASSES, part=1), X, TARGET)

    assert found.layer == "net.3"
    assert torch.equal(found.maps, gradcam(Model(conv_net(), CLASSES), X, TARGET).maps)


@pytest.mark.parametrize("size", [1.0, 1e-6])
def test_half_precision_gives_the_maps_of_single_precision(size: float) -> None:
    """Also where every gradient is too small for half precision."""
    net = conv_net()
    net[6].weight.data.mul_(size)
    net.half()
    half = gradcam(Model(net, CLASSES), X, TARGET)
    single = gradcam(Model(net.float(), CLASSES), X, TARGET)

    assert half.layer == single.layer
    assert torch.allclose(half.maps, single.maps, atol=float(single.maps.max()) * 0.02)


def test_nan_inputs_are_refused_in_words() -> None:
    x = X.clone()
    x[2, 0, 3, 3] = torch.nan

    with pytest.raises(NotApplicable, match="1 of 6 inputs hold NaN or infinity; what is explained must be finite"):
        gradcam(Model(conv_net(), CLASSES), x, TARGET)
