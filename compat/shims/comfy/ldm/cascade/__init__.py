"""Stable Cascade's coder."""
