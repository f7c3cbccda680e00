"""Samplers that ComfyUI keeps apart from k-diffusion's."""
