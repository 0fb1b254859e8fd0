"""One line in a framework's training: Transformers, Lightning, Accelerate.

Each module imports its framework, and is imported by whoever uses it::

    from spectrain.integrations.transformers import WatchCallback
"""
