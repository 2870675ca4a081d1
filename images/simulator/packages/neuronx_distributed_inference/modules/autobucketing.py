"""SIMULATED ``neuronx_distributed_inference.modules.autobucketing``: powers of two up to the length."""

from math import log2


def generate_buckets(min_length: int, max_length: int) -> list:
    if min_length == max_length:
        return [max_length]
    return [2**exponent for exponent in range(int(log2(min_length)), round(log2(max_length)))] + [max_length]


def _pairs(first: list, second: list) -> list:
    return [[one, other] for one in first for other in second]


def generate_buckets_for_cte(config) -> list:
    neuron = config.neuron_config
    longest, shortest = neuron.max_context_length, 512 if neuron.is_prefix_caching else 128
    lengths = neuron.context_encoding_buckets or generate_buckets(
        shortest if neuron.enable_bucketing else longest, longest
    )
    if neuron.is_prefix_caching:
        return _pairs(lengths, [0, *(neuron.prefix_buckets or lengths)])
    return lengths


def generate_buckets_for_tkg(config) -> list:
    neuron = config.neuron_config
    longest, shortest = neuron.max_length, 256 if neuron.is_prefix_caching else 128
    lengths = neuron.token_generation_buckets or generate_buckets(
        shortest if neuron.enable_bucketing else longest, longest
    )
    return _pairs([1], lengths) if neuron.is_prefix_caching else lengths
