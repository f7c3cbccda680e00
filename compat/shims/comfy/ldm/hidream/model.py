"""HiDream, which this program has no network of: names for plugins that ask whether a model is one."""

from typing import Any

from compat.missing import absent_class, missing

HiDreamAttention = absent_class(__name__, "HiDreamAttention")
HiDreamImageBlock = absent_class(__name__, "HiDreamImageBlock")
HiDreamImageSingleTransformerBlock = absent_class(__name__, "HiDreamImageSingleTransformerBlock")
HiDreamImageTransformer2DModel = absent_class(__name__, "HiDreamImageTransformer2DModel")
HiDreamImageTransformerBlock = absent_class(__name__, "HiDreamImageTransformerBlock")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
