"""Runs graphs (engine.graph) and turns noise into pictures (everything else); neither knows of the other."""

__version__ = "0.1.0"
