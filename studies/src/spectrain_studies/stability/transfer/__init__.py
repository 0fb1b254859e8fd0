"""Whether the layer whose scaling with width was left out is named."""
