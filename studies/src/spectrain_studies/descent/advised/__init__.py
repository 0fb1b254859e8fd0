"""The advised set-up beside the usual one and AdamW alone, on networks of ten kinds."""
