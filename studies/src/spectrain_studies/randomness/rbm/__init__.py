"""The Gaussian machine that learns a lattice field."""
