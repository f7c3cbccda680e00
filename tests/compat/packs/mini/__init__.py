"""Miniatures of popular kinds of packs, written from how they are used: what breaks here breaks for many."""

from . import adapter, controls, loaders, samplers, texts, videos

NODE_CLASS_MAPPINGS = {}
for module in (adapter, controls, loaders, samplers, texts, videos):
    NODE_CLASS_MAPPINGS.update(module.NODE_CLASS_MAPPINGS)
