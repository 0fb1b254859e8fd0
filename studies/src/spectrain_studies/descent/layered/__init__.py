"""Curvature of layered models and one-step guarantees, §1.2, §4 and Appendix G."""
