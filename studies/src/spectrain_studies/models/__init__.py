"""Models and data of the studies."""
