"""Runs graphs (engine.graph) and turns noise into pictures (everything else); the two have never heard of each other."""

__version__ = "0.1.0"
