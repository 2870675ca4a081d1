"""From an artifact to what a cluster is told."""
