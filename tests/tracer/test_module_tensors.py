"""What is listed of models: the names are those of torch, made once, and others where the modules are others."""

from __future__ import annotations

import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from stepdbg.tracer.objects import module_tensors as subject
from stepdbg.tracer.objects.module_tensors import ModuleTensorsCache
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.objects.versions import ObjectSetVersion


@st.composite
def models(draw: st.DrawFn) -> nn.Module:
    """Modules in modules, some of them, and some parameters, in several places or None."""
    made: list[nn.Module] = []
    tied: list[nn.Parameter] = []
    for _ in range(draw(st.integers(1, 8))):
        module = nn.Module()
        for place in range(draw(st.integers(0, 3))):
            parameter = draw(st.sampled_from([None, *tied])) if draw(st.booleans()) else nn.Parameter(torch.ones(2))
            module.register_parameter(f"p{place}", parameter)
            if parameter is not None:
                tied.append(parameter)
        for place in range(draw(st.integers(0, 2))):
            module.register_buffer(f"b{place}", draw(st.sampled_from([None, torch.ones(1), *tied[:1]])))
        for place in range(draw(st.integers(0, 3))):
            module.add_module(f"m{place}", draw(st.sampled_from([None, *made])))
        made.append(module)
    return made[-1]


def agrees(module_tensors: ModuleTensorsCache, model: nn.Module) -> None:
    """The roster is what torch tells."""
    found = module_tensors.of(model, "net")
    named = list(model.named_parameters())
    assert found.parameter_names == [f"net.{name}" for name, _ in named]
    assert all(ours is theirs for ours, (_, theirs) in zip(found.parameters, named, strict=True))
    assert found.grad_names == [f"net.{name}.grad" for name, _ in named]
    parameters = {id(parameter) for parameter in found.parameters}
    buffers = [(name, buffer) for name, buffer in model.named_buffers() if id(buffer) not in parameters]
    assert found.buffer_names == [f"net.{name}" for name, _ in buffers]
    assert all(ours is theirs for ours, (_, theirs) in zip(found.buffers, buffers, strict=True))
    every: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        every.setdefault(id(parameter), []).append(f"net.{name}")
    assert found.also == {first: tuple(others) for first, *others in every.values() if others}


@settings(deadline=None, max_examples=150)
@given(models())
def test_a_roster_has_the_names_and_tensors_of_torch(model: nn.Module) -> None:
    module_tensors = ModuleTensorsCache()
    agrees(module_tensors, model)
    agrees(module_tensors, model)


def _replace(model: nn.Sequential) -> None:
    model[0] = nn.Linear(3, 3)


def _rename(model: nn.Sequential) -> None:
    model[1].other = model[1].__dict__["_parameters"].pop("weight")


def _tie(model: nn.Sequential) -> None:
    model[1].weight = model[0].weight


def _drop(model: nn.Sequential) -> None:
    model[0].bias = None


def _add(model: nn.Sequential) -> None:
    model[0].register_buffer("mean", torch.zeros(1))


@pytest.mark.parametrize("change", [_replace, _rename, _tie, _drop, _add])
def test_names_are_made_anew_when_the_modules_are_others(change: object) -> None:
    module_tensors = ModuleTensorsCache()
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.BatchNorm1d(3))
    agrees(module_tensors, model)
    change(model)  # type: ignore[operator]
    agrees(module_tensors, model)


def test_names_are_made_once_while_the_modules_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    real = subject._named
    monkeypatch.setattr(subject, "_named", lambda name, spread: made.append(name) or real(name, spread))
    module_tensors = ModuleTensorsCache()
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    for _ in range(5):
        model[1].running_mean = torch.zeros(3)  # another tensor under the same name
        agrees(module_tensors, model)
    assert made == ["net"]
    module_tensors.forget()
    agrees(module_tensors, model)
    assert made == ["net", "net"]


def test_a_scripted_module_is_listed_as_any_other() -> None:
    model = torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    agrees(ModuleTensorsCache(), model)


def test_a_tensor_of_two_models_is_listed_once_and_the_other_name_is_told() -> None:
    first, second = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    second[1].weight = first.weight
    registry = Registry()
    for model in (first, second):
        registry.note_model(model)
    registry.refresh([sys._getframe()])
    assert registry.also == {"first.weight": ("second.1.weight",)}
    assert "second.1.weight" not in registry.alive
    assert registry.alive["second.1.bias"].tensor is second[1].bias


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.weight.requires_grad_(False),
        lambda model: model.double(),
        lambda model: model.register_buffer("mean", torch.zeros(1)),
    ],
)
def test_the_registry_tells_when_what_stays_has_become_another(change: object) -> None:
    model = nn.Linear(2, 2)
    registry = Registry()
    registry.note_model(model)
    registry.refresh([sys._getframe()])
    before = (registry.lasting_version, registry.version)
    registry.refresh([sys._getframe()])
    assert (registry.lasting_version, registry.version) == before
    change(model)  # type: ignore[operator]
    registry.refresh([sys._getframe()])
    assert registry.lasting_version > before[0]
    assert registry.version > before[1]
    assert registry.census().bytes == sum(parameter.nbytes for parameter in model.parameters())


def test_a_parameter_of_another_shape_is_another_set_of_rows() -> None:
    weight, lazy, versions = nn.Parameter(torch.zeros(2, 3)), nn.UninitializedParameter(), ObjectSetVersion()

    def listed() -> int:
        versions.begin()
        versions.note(["weight", "lazy"], [weight, lazy])
        versions.end((), ())
        return versions.version

    first = listed()
    assert listed() == first
    weight.data = torch.zeros(4, 3)
    second = listed()
    assert second > first
    lazy.materialize((2, 2))
    assert listed() > second
