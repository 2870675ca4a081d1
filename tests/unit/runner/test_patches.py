"""Patches change what they say they change, and refuse when it is not there."""

from __future__ import annotations

import concurrent.futures
import enum
import sys
import types
from typing import Any

import pytest

from aot.runner.events import Events
from aot.runner.failures import PatchTargetMissing, RunnerError
from aot.runner.job import PatchRequest
from aot.runner.patches import Patcher, compile_jobs, hardware_alias, pad_topk, resolve
from aot.runner.results import Result


def nothing(application: dict[str, Any], message: str) -> None:
    pass


@pytest.fixture
def modules(monkeypatch):
    """Add modules to ``sys.modules``, with their parents, for one test."""

    def add(name: str, **attributes: Any) -> types.ModuleType:
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            parent = ".".join(parts[:end])
            if parent not in sys.modules:
                monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
        vars(sys.modules[name]).update(attributes)
        return sys.modules[name]

    return add


def hardware_enum(custom: Any) -> Any:
    """The enum of NxD 0.16 and 0.17: CUSTOM holds the override."""

    class Hardware(enum.Enum):
        TRN1 = "trn1"
        TRN2 = "trn2"
        CUSTOM = custom

        @classmethod
        def _missing_(cls, value: object) -> Any:
            if value in ("inf2", "trn1n"):
                return cls.TRN1
            return cls.CUSTOM if value == cls.CUSTOM.value else None

    return Hardware


class TestHardwareAlias:
    @pytest.mark.parametrize("override", ["inf2", "trn1n"])
    def test_the_override_names_the_chip(self, modules, monkeypatch, override):
        hardware = hardware_enum(override)
        modules("neuronx_distributed.utils.utils", hardware=hardware)
        monkeypatch.setenv("NEURON_PLATFORM_TARGET_OVERRIDE", override)
        assert hardware(override) is hardware.CUSTOM
        assert hardware_alias.apply({}, nothing) is True
        assert hardware(override) is hardware.TRN1

    @pytest.mark.parametrize(("override", "member"), [("trn1", "TRN1"), ("trn2", "TRN2")])
    def test_where_custom_is_only_another_name_nothing_is_done(self, modules, monkeypatch, override, member):
        hardware = hardware_enum(override)
        modules("neuronx_distributed.utils.utils", hardware=hardware)
        monkeypatch.setenv("NEURON_PLATFORM_TARGET_OVERRIDE", override)
        assert hardware_alias.apply({}, nothing) is False
        assert hardware(override).name == member

    def test_a_release_without_the_trap_is_left_alone(self, modules, monkeypatch):
        hardware = hardware_enum(4)
        modules("neuronx_distributed.utils.utils", hardware=hardware)
        monkeypatch.setenv("NEURON_PLATFORM_TARGET_OVERRIDE", "inf2")
        assert hardware_alias.apply({}, nothing) is False
        assert hardware("inf2") is hardware.TRN1

    def test_a_chip_nobody_knows_stays_custom(self, modules, monkeypatch):
        hardware = hardware_enum("trn9")
        modules("neuronx_distributed.utils.utils", hardware=hardware)
        monkeypatch.setenv("NEURON_PLATFORM_TARGET_OVERRIDE", "trn9")
        assert hardware_alias.apply({}, nothing) is False


class TestCompileJobs:
    def test_pools_of_this_module_are_bounded_and_others_are_not(self, modules):
        builder = modules("neuronx_distributed.trace.model_builder", concurrent=concurrent)
        compile_jobs.apply({"jobs": 3}, nothing)
        assert builder.concurrent.futures.ThreadPoolExecutor()._max_workers == 3
        assert builder.concurrent.futures.ThreadPoolExecutor(max_workers=64)._max_workers == 3
        assert builder.concurrent.futures.ThreadPoolExecutor(2)._max_workers == 2
        assert builder.concurrent.futures.as_completed is concurrent.futures.as_completed
        assert concurrent.futures.ThreadPoolExecutor(5)._max_workers == 5

    def test_applied_twice_is_refused(self, modules):
        modules("neuronx_distributed.trace.model_builder", concurrent=concurrent)
        compile_jobs.apply({"jobs": 3}, nothing)
        with pytest.raises(PatchTargetMissing, match="not the standard library"):
            compile_jobs.apply({"jobs": 2}, nothing)

    def test_another_model_builder_is_refused(self, modules):
        modules("neuronx_distributed.trace.model_builder")
        with pytest.raises(PatchTargetMissing, match="has no concurrent"):
            compile_jobs.apply({"jobs": 3}, nothing)


class TopK:
    @classmethod
    def apply(cls, tensor, k, dim):
        return tensor, k, dim


def operators(modules, source: str, topk: Any = TopK) -> types.ModuleType:
    modules("torch_neuronx.xla_impl.ops", TopK=TopK)
    module = modules("neuronx_distributed.operators.topk", TopK=topk)
    exec(source, vars(module))  # noqa: S102 (functions whose globals are that module's)
    return module


DIRECT = "def topk(t, k, dim):\n    implementation = TopK.apply\n    return implementation(t, k, dim=dim)"
NESTED = (
    "def get():\n    def implementation(t, k, dim=None):\n        return TopK.apply(t, k, dim=dim)\n"
    "    return implementation\n"
    "def topk(t, k, dim):\n    return get()(t, k, dim)"
)
ANOTHER = "def topk(t, k, dim):\n    return kernel(t, k)"


class Tensor:
    shape = (2, 512)
    dtype = "torch.float32"

    def is_floating_point(self) -> bool:
        return True


class TestPadTopK:
    @pytest.mark.parametrize("source", [DIRECT, NESTED], ids=["0.16 and 0.17", "0.18"])
    def test_replaces_what_nxd_looks_up_at_every_call(self, modules, source):
        module = operators(modules, source)
        pad_topk.apply({}, nothing)
        assert module.TopK is not TopK
        assert issubclass(module.TopK, TopK)
        tensor = Tensor()
        assert module.topk(tensor, 256, -1) == (tensor, 256, -1)

    def test_attributes_that_nxd_tells_kernels_apart_by_are_kept(self):
        class Kernel(TopK):
            @classmethod
            def apply(cls, tensor, k, dim):
                return None

        Kernel.apply.__func__.func_name = "rotated"
        assert getattr(pad_topk.wrap(TopK, nothing).apply, "func_name", None) is None
        assert pad_topk.wrap(Kernel, nothing).apply.func_name == "rotated"

    def test_top_k_that_nxd_no_longer_uses_is_refused(self, modules):
        operators(modules, ANOTHER)
        with pytest.raises(PatchTargetMissing, match="no function of that module"):
            pad_topk.apply({}, nothing)

    def test_applied_twice_is_refused(self, modules):
        operators(modules, DIRECT)
        pad_topk.apply({}, nothing)
        with pytest.raises(PatchTargetMissing, match="patched already"):
            pad_topk.apply({}, nothing)

    def test_another_signature_is_refused(self, modules):
        other = type("TopK", (), {"apply": staticmethod(lambda tensor: tensor)})
        operators(modules, DIRECT, other)
        sys.modules["torch_neuronx.xla_impl.ops"].TopK = other
        with pytest.raises(PatchTargetMissing, match="no apply"):
            pad_topk.apply({}, nothing)

    def test_no_such_module_or_class(self, modules):
        modules("neuronx_distributed.operators.topk")
        with pytest.raises(PatchTargetMissing, match="has no TopK"):
            pad_topk.apply({}, nothing)

    def test_parameters_are_refused_and_not_ignored(self):
        with pytest.raises(RunnerError, match="takes no parameters"):
            pad_topk.apply({"fill": 0}, nothing)


class TestPatcher:
    def test_books_are_kept(self, tmp_path, monkeypatch):
        result = Result()
        patch = types.ModuleType("patch")

        def apply(parameters, note):
            note({"width": 1}, "first")
            patch.note = note

        vars(patch).update(ID="p", TARGET="a.b", apply=apply)
        with (tmp_path / "events").open("wb") as file:
            assert Patcher(Events(file.fileno()), result).apply(patch, {"x": 1}) is True
            patch.note({"width": 1}, "again")
            patch.note({"width": 2}, "another")
        assert result.patches == [
            {"id": "p", "target": "a.b", "parameters": {"x": 1}, "applications": [{"width": 1}, {"width": 2}]}
        ]
        assert (tmp_path / "events").read_text().count("patch_applied_to") == 2

    def test_a_patch_with_nothing_to_do_is_not_recorded(self, tmp_path):
        result = Result()
        patch = types.ModuleType("patch")
        vars(patch).update(ID="p", TARGET="a.b", apply=lambda parameters, note: False)
        with (tmp_path / "events").open("wb") as file:
            assert Patcher(Events(file.fileno()), result).apply(patch, {}) is False
        assert result.patches == []
        assert '"applied": false' in (tmp_path / "events").read_text()

    def test_an_unknown_patch_is_refused(self, tmp_path):
        with (tmp_path / "events").open("wb") as file, pytest.raises(RunnerError, match="unknown patch 'magic'"):
            Patcher(Events(file.fileno()), Result()).apply_requested((PatchRequest("magic"),))


def test_resolve_names_what_is_missing():
    with pytest.raises(PatchTargetMissing, match="cannot import no_such_module"):
        resolve("no_such_module.Thing")
    with pytest.raises(PatchTargetMissing, match="json has no Thing") as caught:
        resolve("json.Thing")
    assert caught.value.kind == "patch-target-missing"
