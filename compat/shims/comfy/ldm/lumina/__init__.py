"""Lumina 2."""
