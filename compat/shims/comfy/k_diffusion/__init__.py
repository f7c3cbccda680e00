"""Where plugins look for k-diffusion: `sampling`, and what little is used of `utils`."""
