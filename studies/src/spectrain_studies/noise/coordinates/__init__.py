"""Changes of basis, and channels rescaled without a change of the function."""
