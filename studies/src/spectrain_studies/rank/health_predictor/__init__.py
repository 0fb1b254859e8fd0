"""“Gradient health”: which optimizer will be ahead, and how much is still to be gained."""
