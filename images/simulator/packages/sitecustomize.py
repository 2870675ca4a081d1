"""Imported by every Python start that has the simulator on its path: versions of the simulated distributions."""

from aot_simulator import metadata

metadata.install()
