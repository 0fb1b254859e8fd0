"""What the stable rank does where it is turned: a spike of adjustable height, and columns."""
