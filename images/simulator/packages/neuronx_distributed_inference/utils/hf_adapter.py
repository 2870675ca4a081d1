"""SIMULATED ``neuronx_distributed_inference.utils.hf_adapter``."""

from aot_simulator import hf


def load_pretrained_config(model_path_or_name=None, hf_config=None):
    """A hook that fills an InferenceConfig from the model's ``config.json``."""

    def load_config(self) -> None:
        self.__dict__.update(hf.load(str(model_path_or_name)), attribute_map={})

    return load_config
