"""The artifact: what was compiled, for what, by what, as an OCI image that any registry carries."""
