"""The Grad-CAM family: exact where the rest of the network is linear, and as its papers write it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.explain.cams import METHODS, correlation
from auditor.explain.gradcam import Cam, cam_of, cam_pass, gradcam
from auditor.subject import Model
from tests.explain.nets import still
from tests.intake.zoo_packages import installed

Make = Callable[[], tuple[nn.Module, nn.Linear]]
CLASSES = tuple("abcdefghij")
X = torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(0))
TARGET = torch.tensor([0, 1, 2, 3, 4, 9])


def drawn(module: nn.Module) -> nn.Module:
    """The module with statistics in its BatchNorms that no fresh network has."""
    generator = torch.Generator().manual_seed(1)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.3, generator=generator)
            part.running_var.uniform_(0.5, 1.5, generator=generator)
            part.weight.data.uniform_(0.5, 1.5, generator=generator)
    return still(module.eval())


def by_hand() -> tuple[nn.Module, nn.Linear]:
    torch.manual_seed(0)
    head = nn.Linear(7, 10)
    layers = [nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 7, 3, 2), nn.BatchNorm2d(7), nn.SiLU()]
    return drawn(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)), head


def resnet18() -> tuple[nn.Module, nn.Linear]:
    installed("torchvision")
    from torchvision.models import resnet18 as built

    torch.manual_seed(0)
    module = drawn(built(num_classes=10))
    head = module.fc
    assert isinstance(head, nn.Linear)
    return module, head


# ---- exactness: convolutions, global average pooling, linear -----------------------------------------------------
@pytest.mark.parametrize("make", [by_hand, resnet18])
def test_hirescam_and_the_bias_are_the_logit(make: Make) -> None:
    module, head = make()
    model = Model(module, CLASSES)
    with torch.no_grad():
        logit = model(X).gather(1, TARGET[:, None])[:, 0]
    sums = gradcam(model, X, TARGET).variants["HiResCAM"].sum((1, 2)) + head.bias[TARGET]

    assert float((sums - logit).abs().max() / logit.abs().max()) < 1e-4


@pytest.mark.parametrize("make", [by_hand, resnet18])
def test_grad_cam_is_class_activation_mapping_up_to_scale(make: Make) -> None:
    """CAM (Zhou et al. 2016) needs no gradient: the last activations weighted by the head's own weights."""
    module, head = make()
    seen: list[Tensor] = []
    with torch.no_grad():
        pooling = next(m for m in module.modules() if isinstance(m, nn.AdaptiveAvgPool2d))
        handle = pooling.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
        module(X)
        handle.remove()
        cams = torch.einsum("nchw,kc->nkhw", seen[0], head.weight)
    target = cams.flatten(2).amax(2).argmax(1)  # a class for which something speaks
    cam = cams[torch.arange(len(X)), target].clamp_min(0)
    found = gradcam(Model(module, CLASSES), X, target)

    assert float(cam.flatten(1).amax(1).min()) > 0
    assert float(correlation(found.maps, cam).min()) > 0.999
    assert float(found.agreement.min()) > 0.999


@pytest.mark.filterwarnings("ignore:Setting .*backward hooks:UserWarning")
@pytest.mark.parametrize(("make", "layer"), [(by_hand, "5"), (resnet18, "layer4")])
def test_grad_cam_is_captums(make: Make, layer: str) -> None:
    from captum.attr import LayerGradCam

    module, _ = make()
    found = gradcam(Model(module, CLASSES), X, TARGET)
    expected = LayerGradCam(module, module.get_submodule(layer)).attribute(
        X, target=TARGET, relu_attributions=True
    )[:, 0]  # fmt: skip

    assert found.layer == layer
    assert torch.allclose(found.maps, expected.detach(), atol=1e-5)


# ---- each method as its paper writes it --------------------------------------------------------------------------
def layer_of_ones(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, 4, 5, generator=generator), torch.randn(2, 3, 4, 5, generator=generator)


def test_grad_cam_pp_is_the_sum_of_its_paper() -> None:
    """Cell by cell: alpha = g^2 / (2 g^2 + sum A g^3), w = sum alpha relu(g), L = relu(sum w A)."""
    a, g = layer_of_ones(0)
    expected = torch.zeros(2, 4, 5)
    for n in range(2):
        for k in range(3):
            total, weight = float(a[n, k].sum()), 0.0
            for i in range(4):
                for j in range(5):
                    d = float(g[n, k, i, j])
                    weight += d**2 / (2 * d**2 + total * d**3) * max(d, 0.0)
            expected[n] += weight * a[n, k]

    assert torch.allclose(METHODS["Grad-CAM++"](a, g), expected.clamp_min(0), atol=1e-6)


def test_grad_cam_pp_of_gradients_whose_cubes_vanish_is_not_lost() -> None:
    a, g = layer_of_ones(1)
    tiny = METHODS["Grad-CAM++"](a, g * 1e-20)  # alpha is then one half
    expected = (0.5 * (g.clamp_min(0) * 1e-20).sum((2, 3), keepdim=True) * a).sum(1)

    assert float(tiny.max()) > 0
    assert torch.allclose(tiny / 1e-20, expected / 1e-20, rtol=1e-5)


def test_layer_cam_and_hirescam_are_their_sums() -> None:
    a, g = layer_of_ones(2)

    assert torch.allclose(METHODS["LayerCAM"](a, g), torch.einsum("nchw,nchw->nhw", a, g.relu()).relu(), atol=1e-6)
    assert torch.allclose(METHODS["HiResCAM"](a, g), torch.einsum("nchw,nchw->nhw", a, g), atol=1e-6)
    assert float(METHODS["HiResCAM"](a, g).min()) < 0  # it keeps what speaks against


def test_all_maps_of_a_layer_come_from_its_one_pass() -> None:
    module, _ = by_hand()
    found, places = cam_pass(Model(module, CLASSES), X, TARGET)
    cam = cam_of(found, "5", places["5"])

    assert set(cam.variants) == set(METHODS) == {"Grad-CAM", "Grad-CAM++", "LayerCAM", "HiResCAM"}
    assert all(torch.equal(cam.variants[m], f(*found.layers["5"])) for m, f in METHODS.items())


# ---- correlation -------------------------------------------------------------------------------------------------
def test_correlation_is_numpys_at_any_scale() -> None:
    a, b = torch.randn(3, 4, 4), torch.randn(3, 4, 4)
    expected = [float(np.corrcoef(x.flatten(), y.flatten())[0, 1]) for x, y in zip(a, b, strict=True)]

    assert correlation(a, b).tolist() == pytest.approx(expected, abs=1e-6)
    assert correlation(a * 1e-30, b * 1e30).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.3, 1e-12])
def test_flat_maps_agree_with_nothing(value: float) -> None:
    cam = Cam("x", {"Grad-CAM": torch.full((1, 3, 3), value), "HiResCAM": torch.rand(1, 3, 3)})

    assert bool(cam.agreement.isnan().all())
