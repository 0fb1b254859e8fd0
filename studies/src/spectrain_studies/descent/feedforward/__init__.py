"""Post-activations of feedforward networks, §2.1."""
