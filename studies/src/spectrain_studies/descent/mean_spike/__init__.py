"""The spike that the mean of the features makes, §1.2.2."""
