"""Ahead-of-time compilation of LLMs for vLLM on AWS Inferentia2 and Trainium."""

__version__ = "0.1.0"
