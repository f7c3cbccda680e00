"""Hunyuan Video."""
