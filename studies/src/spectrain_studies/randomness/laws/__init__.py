"""The laws and flows of random matrices."""
