"""What `comfy.model_management` stands on besides the engine's own devices."""
