"""Distributions that autoencoders draw from."""
