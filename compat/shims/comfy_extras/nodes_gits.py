"""ComfyUI's nodes for tables of GITS noise levels, not offered here: names that say so when used."""

from compat.missing import absent_class

GITSScheduler = absent_class(__name__, "GITSScheduler", object)
