"""The grounding module in PyTorch: a reference for the fixtures, and the published checkpoint's converter."""
