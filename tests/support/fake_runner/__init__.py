"""Stands in for aot/runner in the engine tests: does what job.json's ``steps`` say. Runs inside the image too."""
