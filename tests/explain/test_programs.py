"""Programs are explained as the modules that they were made from: the same layers, maps and shares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from auditor.explain.composites import COMPOSITES
from auditor.explain.gradcam import gradcam
from auditor.explain.layers import layer_outputs
from auditor.explain.lrp import lrp
from auditor.subject import Model
from tests.explain.nets import (
    CLASSES,
    FORMS,
    IMAGES,
    LEDGER,
    MAPS,
    NETS,
    SHARES,
    TARGET,
    close,
    exported,
    inputs,
    net,
    program,
    reloaded,
    still,
)
from tests.shared import needs_shared, real


# ---- as on the module --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [name for name in NETS if name != "table"])
def test_grad_cam_finds_the_same_layer_and_map(name: str, form: str) -> None:
    expected = gradcam(Model(net(name), CLASSES), IMAGES, TARGET)
    found = gradcam(program(name, form), IMAGES, TARGET)

    assert found.layer == expected.layer
    assert float(expected.maps.abs().max()) > 0
    assert close(found.maps, expected.maps, MAPS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NETS)
def test_lrp_closes_its_ledger_and_shares_alike(name: str, form: str) -> None:
    expected = lrp(Model(net(name), CLASSES), inputs(name), TARGET, composite=COMPOSITES["epsilon_gamma"])
    found = lrp(program(name, form), inputs(name), TARGET, composite=COMPOSITES["epsilon_gamma"])

    assert float(found.ledger_error.max()) < LEDGER
    assert found.unknown == ()
    assert close(found.shares, expected.shares, SHARES)
    assert close(found.constants, expected.constants, SHARES)


@pytest.mark.parametrize("form", FORMS)
def test_every_layer_of_the_program_gives_what_it_gave_in_the_module(form: str) -> None:
    expected = layer_outputs(Model(net("resnet"), CLASSES), IMAGES)
    found = layer_outputs(program("resnet", form), IMAGES)

    assert list(found) == list(expected)
    assert "layers.1.bn2" in found and "layers.0.relu" in found
    assert all(close(found[layer], expected[layer], SHARES) for layer in expected)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@pytest.mark.parametrize("name", ["resnet", "vit", "encoder", "table"])
def test_decomposed_programs_are_followed(name: str) -> None:
    """Other operators for the same functions; those of these nets have the same rules."""
    ep = torch.export.export(net(name), (inputs(name),)).run_decompositions()
    model = Model(still(ep.module()), CLASSES)
    expected = lrp(Model(net(name), CLASSES), inputs(name), TARGET)
    found = lrp(replace(model, batch=3), inputs(name), TARGET)

    assert float(found.ledger_error.max()) < LEDGER
    assert found.unknown == ()
    assert close(found.shares, expected.shares, SHARES)


@pytest.mark.parametrize("name", ["resnet", "encoder"])
def test_a_frozen_program_has_no_layers_left_and_its_operators_are_taken(name: str) -> None:
    frozen = Model(reloaded(torch.jit.freeze(torch.jit.script(net(name)))), CLASSES)
    found = gradcam(frozen, IMAGES, TARGET)
    explained = lrp(frozen, IMAGES, TARGET)

    assert found.layer.rpartition("_")[0] in {"relu", "add"}
    assert found.maps.shape[1:] == {"resnet": (6, 6), "encoder": (4, 4)}[name]
    assert close(explained.shares, lrp(Model(net(name), CLASSES), IMAGES, TARGET).shares, 1e-4)


@needs_shared
@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10_resnet20", "cifar10_vit_ibp", "mnist_kw"])
def test_real_models_are_explained_alike_once_exported(name: str) -> None:
    case = real(name)
    x = case.data.take(3, 0).read(np.arange(3))
    with case.model.frozen():
        target = case.model(x).argmax(1)
        expected, cam = (
            lrp(case.model, x, target, composite=COMPOSITES["epsilon_gamma"]),
            gradcam(case.model, x, target),
        )
        made = still(exported(case.model.module, case.model.normalize(x[:1]), dynamic=False))
    model = replace(case.model, module=made, batch=1)
    found, again = lrp(model, x, target, composite=COMPOSITES["epsilon_gamma"]), gradcam(model, x, target)

    assert float(found.ledger_error.max()) < LEDGER
    assert close(found.shares, expected.shares, SHARES)
    assert again.layer == cam.layer
    assert close(again.maps, cam.maps, MAPS)
