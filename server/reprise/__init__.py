"""Reprise: run, rerun and cancel compiled Kubeflow pipelines on your own machines."""

__version__ = "0.1.0"
