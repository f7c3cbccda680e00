"""LTX Video's autoencoder."""
