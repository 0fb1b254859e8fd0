"""The minimal model: runs of Figures 1 to 4, and what their claims measure."""
