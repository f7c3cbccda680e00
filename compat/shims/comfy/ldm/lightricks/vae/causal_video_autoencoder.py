"""LTX Video's autoencoder, which this program has no network of: names for plugins that ask whether a model is one."""

from typing import Any

from compat.missing import absent_class, missing

Decoder = absent_class(__name__, "Decoder")
Encoder = absent_class(__name__, "Encoder")
ResnetBlock3D = absent_class(__name__, "ResnetBlock3D")
VideoVAE = absent_class(__name__, "VideoVAE")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
