"""Pre-trains the stickers model: a small Stable Diffusion on scenes from our own daemon."""
