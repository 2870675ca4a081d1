"""What differs between the releases, as data: versions of the AWS images, behaviour read off the public sources."""

import os
from dataclasses import dataclass, field

from . import DoesNotKnow

LOCAL = "+simulated"


@dataclass(frozen=True)
class Toolchain:
    name: str
    versions: dict = field(hash=False)
    # NxD's hardware enum: CUSTOM takes the override's value (until SDK 2.28) or a value of its own (2.29).
    custom_is_override: bool = True
    # neuron_config keys that this release has or lacks, against SDK 2.28.
    extra_keys: dict = field(default_factory=dict, hash=False)
    missing_keys: frozenset = frozenset()
    # override_neuron_config keys that have no effect in this release
    ignored_overrides: frozenset = frozenset()
    sampling_dp_degree: bool = True
    # on_device_sampling_config.top_k_kernel_enabled is on by default where the chip is not trn1 (2.29).
    top_k_kernel_follows_chip: bool = False
    # plugin 0.5.0 names the missing field
    names_missing_field: bool = False

    def version(self, distribution: str) -> str:
        return self.versions[distribution] + LOCAL


def _versions(vllm, plugin, cc, nxd, nxdi, torch_neuronx, libneuronxla, transformers):
    return {
        "vllm": vllm, "vllm-neuron": plugin, "neuronx-cc": cc, "neuronx-distributed": nxd,
        "neuronx-distributed-inference": nxdi, "torch-neuronx": torch_neuronx, "libneuronxla": libneuronxla,
        "torch": "2.9.0", "transformers": transformers,
    }  # fmt: skip


TOOLCHAINS = {
    t.name: t
    for t in (
        Toolchain(
            "sdk2.27.1",
            _versions("0.13.0", "0.3.0", "2.22.12471.0", "0.16.25997", "0.7.15063", "2.9.0.2.11.19912",
                      "2.2.14584.0", "4.56.2"),
            missing_keys=frozenset({
                "attn_block_tkg_nki_kernel_disable_gpsimd_sb2sb", "disable_argmax_kernel", "dma_order_config",
                "eagle_rolling_buffer_kernel_enabled", "ep_dispatch_cc_option", "kv_quant_config",
                "token_generation_batches",
            }),
            ignored_overrides=frozenset({"weights_to_skip_layout_optimization", "token_generation_batches"}),
            sampling_dp_degree=False,
        ),
        Toolchain(
            "sdk2.28.0",
            _versions("0.13.0", "0.4.1", "2.23.6484.0", "0.17.26814", "0.8.16251", "2.9.0.2.12.22436",
                      "2.2.15515.0", "4.57.6"),
        ),
        Toolchain(
            "sdk2.29.0",
            _versions("0.16.0", "0.5.0", "2.24.5133.0", "0.18.27753", "0.9.17334", "2.9.0.2.13.24727",
                      "2.2.16408.0", "4.57.6"),
            custom_is_override=False,
            extra_keys={"enable_ve_data_parallel": False},
            top_k_kernel_follows_chip=True,
            names_missing_field=True,
        ),
    )
}  # fmt: skip


def current() -> Toolchain:
    """The toolchain that ``AOT_SIMULATOR_TOOLCHAIN`` picks; sdk2.28.0 when it is unset."""
    name = os.environ.get("AOT_SIMULATOR_TOOLCHAIN") or "sdk2.28.0"
    if name not in TOOLCHAINS:
        raise DoesNotKnow(f"toolchain {name!r} (it knows {', '.join(TOOLCHAINS)})")
    return TOOLCHAINS[name]
