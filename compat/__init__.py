"""The annexe for ComfyUI's plugins: their import names, their kinds of node classes, their place in the worker.

Lives in processes that draw, and only there. Nothing but main.py knows of it; delete the folder and the house stands.
Written from public papers on how plugins use ComfyUI, never from its source.
"""
