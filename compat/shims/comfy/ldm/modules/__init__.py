"""What ComfyUI's convolutional networks are made of."""
