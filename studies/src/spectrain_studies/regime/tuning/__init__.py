"""Learning rate and decay tuned apart, on the minimal model."""
