"""Checks that an artifact, a model or a running server must pass."""
