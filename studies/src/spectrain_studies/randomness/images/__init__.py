"""The machine as a regulator of images."""
