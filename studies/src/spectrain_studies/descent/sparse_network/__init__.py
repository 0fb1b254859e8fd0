"""Figures 1, 4, 17 and 18: a four-layer network on x₁x₂x₃."""
