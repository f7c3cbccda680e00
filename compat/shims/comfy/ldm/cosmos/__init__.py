"""Cosmos Predict 2."""
