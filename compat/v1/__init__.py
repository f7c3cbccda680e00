"""ComfyUI's node classes of the first kind (INPUT_TYPES, FUNCTION …) as node types."""
