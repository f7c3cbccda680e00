"""Sampling as plugins know it, in rooms: what comfy.samplers and comfy.k_diffusion.sampling are made of."""
