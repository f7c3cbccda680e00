"""HiDream."""
