"""SIMULATED ``torch.nn``."""

from . import functional as functional


class Module:
    def __init__(self) -> None:
        self.training = False

    def eval(self):
        return self
