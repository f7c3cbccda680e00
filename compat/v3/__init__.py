"""ComfyUI's node classes of the third kind (define_schema, execute) as node types."""
