"""Facts read off small stand-ins for the upstream modules, each in the two ways that releases are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from aot.runner.capture import behaviour, hf, hf_classes, neuron_config, plugin, serving
from aot.runner.capture.notes import Notes
from aot.runner.capture.sources import Sources


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put source text where a module of that name is looked for."""

    def put(module: str, text: str) -> None:
        path = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in (path.parent, *path.parent.parents):
            if folder.is_relative_to(tmp_path) and folder != tmp_path:
                (folder / "__init__.py").touch()
        path.write_text(text)

    monkeypatch.setattr(Sources, "directory", lambda self, package: tmp_path / package)
    return put


LOADER = """
class Model:
    def _load_weights_common(self, path):
        try:
            self.load(path)
            return True
        except (FileNotFoundError, ValueError):
            {answer}

    def _get_compiled_model_path(self, name, hashed_config):
        if os.getenv("NEURON_COMPILED_ARTIFACTS"):
            return os.getenv("NEURON_COMPILED_ARTIFACTS")
        path = Path(name) / "artifacts" / {last}
        {removal}
        return path
"""


def loader_facts(write, **parts: str) -> dict[str, object]:
    write(serving.LOADER, LOADER.format(**parts))
    write("vllm_neuron.other", "")
    return serving.facts(Sources(), Notes("not imported"))["behaviour"]


def test_a_loader_that_empties_and_recompiles(write) -> None:
    found = loader_facts(write, answer="return False", last="hashed_config", removal="shutil.rmtree(path)")
    assert found["empties_hash_directory"] is True
    assert found["hash_in_path"] is True
    assert found["load_error_recompiles"] is True
    assert found["artifact_path_variable"] == "NEURON_COMPILED_ARTIFACTS"


def test_a_loader_that_does_neither(write) -> None:
    found = loader_facts(write, answer="raise", last="'fixed'", removal="pass")
    assert found["empties_hash_directory"] is False
    assert found["hash_in_path"] is False
    assert found["load_error_recompiles"] is False


def test_without_imports_and_without_sources_every_fact_is_missing_with_a_reason(write) -> None:
    notes = Notes("no torch here")
    found = serving.facts(Sources(), notes)
    assert found["behaviour"] == {}
    assert "no torch here" in notes.missing["toolchain.behaviour.hardware_enum_hijacked"]
    for flag in ("empties_hash_directory", "artifact_path_variable", "platform_needs_device"):
        assert f"toolchain.behaviour.{flag}" in notes.missing


CONFIG = """
PAGE = 1024

class NeuronConfig:
    def __init__(self, **kwargs):
        self.seq_len = kwargs.pop("seq_len", 128)
        self.max_length = kwargs.pop("max_length", self.seq_len)
        self.buckets = kwargs.pop("buckets", [self.seq_len])
        self.page = kwargs.pop("page", PAGE)
        self.bound = kwargs.pop("bound", float("inf"))
        self.stage = None
        self.flag = False
        if self.page:
            self.flag = True
        {more}

class MoENeuronConfig(NeuronConfig):
    def __init__(self, capacity_factor: float = None, **kwargs):
        self.capacity_factor = float(capacity_factor) if capacity_factor is not None else None
        self.glu_type = kwargs.pop("glu_type", "glu")
        self.normalize = not kwargs.pop("disable_normalize", False)
        super().__init__(**kwargs)
"""


def test_options_copies_constants_and_computed_defaults_are_told_apart(write) -> None:
    write(neuron_config.CONFIG, CONFIG.format(more="pass"))
    notes = Notes()
    found = neuron_config.neuron_config(Sources(), notes)
    assert found["defaults"] == {"seq_len": 128, "page": 1024, "bound": float("inf")}
    assert found["default_from"] == {"max_length": "seq_len"}
    assert found["constants"] == {"stage": None}
    assert notes.computed == {"neuron_config.buckets": "[self.seq_len]"}


def test_options_of_the_mixture_of_experts_config(write) -> None:
    write(neuron_config.CONFIG, CONFIG.format(more="pass"))
    found = neuron_config.moe_neuron_config(Sources(), Notes())
    assert found["defaults"] == {"capacity_factor": None, "glu_type": "glu"}


@pytest.mark.parametrize(
    ("more", "flag", "expected"),
    [
        ("self.fused_qkv = kwargs.pop('fused_qkv', False)", "fused_qkv_popped_twice", False),
        (
            "self.fused_qkv = kwargs.pop('fused_qkv', False); self.fused_qkv = kwargs.pop('fused_qkv', False)",
            "fused_qkv_popped_twice",
            True,
        ),
        ("self.attn_block_tkg_nki_kernel_enabled = True", "deprecated_kernel_overrides_imply", True),
        ("pass", "deprecated_kernel_overrides_imply", False),
        (
            "assert not self.is_full_model_shuffled or self.is_mxfp4_compute",
            "full_model_shuffle_for_eagle_draft",
            False,
        ),
        (
            "assert not self.is_full_model_shuffled or self.is_eagle_draft",
            "full_model_shuffle_for_eagle_draft",
            True,
        ),
    ],
)
def test_behaviour_of_the_constructor(write, more: str, flag: str, expected: bool) -> None:
    write(neuron_config.CONFIG, CONFIG.format(more=more))
    assert behaviour.flags(Sources(), Notes("not imported"))[flag] is expected


def test_a_statement_that_is_gone_is_no_answer(write) -> None:
    write(neuron_config.CONFIG, CONFIG.format(more="pass"))
    notes = Notes("not imported")
    assert "full_model_shuffle_for_eagle_draft" not in behaviour.flags(Sources(), notes)
    assert "no assertion" in notes.missing["behaviour.full_model_shuffle_for_eagle_draft"]


def test_quantization_defaults_of_the_plugin(write) -> None:
    write(
        plugin.LOADER,
        "def _get_neuron_config_after_override(default, given):\n"
        "    given.pop('text_neuron_config')\n"
        "    return {'quantized': given.pop('quantized', False), 'x': given.pop('quantization_dtype', 'int8')}\n",
    )
    found = plugin.tables(Sources(), Notes("not imported"))
    assert found == {"quantization_defaults": {"quantized": False, "quantization_dtype": "int8"}}


HF = """
class {name}(PretrainedConfig):
    model_type = "{kind}"
    attribute_map = {{"hidden_size": "d_model"}}

    def __init__(self, vocab_size=32000, max_position_embeddings=4096 * 32, window=None, **kwargs):
        {first}
        self._pattern = kwargs.get("pattern", 6)
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)
"""


def test_a_configuration_class_of_transformers(write) -> None:
    write(
        hf_classes.module_of("qwen3"),
        HF.format(name="Qwen3Config", kind="qwen3", first="tie_word_embeddings = kwargs.pop('tie_word_embeddings', 0)"),
    )
    found = hf_classes.classes(["qwen3"], Sources(), Notes())["qwen3"]
    assert found["class"] == "Qwen3Config"
    assert found["parameters"] == {
        "vocab_size": 32000,
        "max_position_embeddings": 131072,
        "window": None,
        "tie_word_embeddings": 0,
    }
    assert found["attribute_map"] == {"hidden_size": "d_model"}
    assert found["forwarded"] == ["tie_word_embeddings"]
    assert found["derived_from_extra_keys"] == {"_pattern": ["pattern", 6]}
    assert found["base_first"] is False


BASE = """
class PretrainedConfig:
    model_type = ""
    attribute_map = {}

    def __init__(self, *, return_dict=True, id2label=None, **kwargs): ...
    def to_dict(self): ...
    @property
    def use_return_dict(self): ...
    @property
    def num_labels(self): ...
    @num_labels.setter
    def num_labels(self, value): ...

def layer_type_validation(layer_types%s): ...
"""


@pytest.mark.parametrize(("more", "checked"), [("", False), (", num_hidden_layers=None", True)])
def test_the_base_class_of_transformers(write, more: str, checked: bool) -> None:
    write(hf_classes.BASE, BASE % more)
    found = hf.tables(Sources(), Notes("not imported"))
    assert found["common_defaults"] == {"return_dict": True, "id2label": None}
    assert found["reserved_names"] == ["attribute_map", "to_dict", "use_return_dict"]
    assert found["layer_types_length_checked"] is checked
