"""The second moment of ReLU features, §3.1.1 and §3.2.1."""
