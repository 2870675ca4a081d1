"""Why two fingerprints differ: every differing field folded under the input that caused it.

``readers`` turn what the user named into a ``Side``; ``compare.explain`` is pure. Where both sides can be computed the
cause is found by experiment (``experiment``): one input at a time is exchanged and the fingerprint computed again. For
a bare canonical document the inputs are inferred first (``inference``) and proven by computing that very document.
"""
