"""Members of ComfyUI as papers write them, found on this program: `comfy.sd.VAE().encode`, `nodes.SaveImage#self.type`.

`X()` is an instance of X (or what X returns), `X#m` a method that subclasses override, `X#self.m` what they read and
write on themselves, `[id]` a node class looked up by its id.
"""

import copy
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch

from compat.host import Host

PIECE = re.compile(r"([A-Za-z_]\w*)(\(\))?(\[[^\]]*\])?(#self\.|#|\.)?")


class Found:
    """Finds members; makes the instances they are members of, on the tiny models of a host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._made: dict[str, Any] = {}

    def host_member(self, member: str) -> Any:
        """What a name of a module, or below one, is. Raises: AttributeError, ImportError, KeyError."""
        name, here = "", None
        for word, call, item, then in PIECE.findall(member):
            name = f"{name}.{word}" if name else word
            here = importlib.import_module(name) if here is None else self._below(here, name, word)
            if item:
                here = here[item[1:-1]]
            if call or then == "#self.":
                here = self._instance(name, here)
        return here

    def object_member(self, member: str) -> Any:
        """What a member of a value is: `MODEL.clone`. Raises: AttributeError."""
        kind, *path = member.split(".")
        if kind not in self._made:
            self._made[kind] = [make() for make in self._values()[kind]]
        first, *others = self._made[kind]
        here = next((each for each in others if path and hasattr(each, path[0]) and not hasattr(first, path[0])), first)
        for word in path:
            here = getattr(here, word)
        return here

    @staticmethod
    def _below(here: Any, name: str, word: str) -> Any:
        try:
            return getattr(here, word)
        except AttributeError as error:
            if type(here).__name__ != "module":
                raise
            try:
                return importlib.import_module(name)
            except ModuleNotFoundError:
                raise error from None

    def _instance(self, name: str, cls: Any) -> Any:
        if name not in self._made:
            self._made[name] = self._makers.get(name, lambda: cls())()
        return self._made[name]

    @cached_property
    def _checkpoint(self) -> tuple[Any, ...]:
        import comfy.sd

        path = str(self._host.folders.path("checkpoints", "tiny.safetensors"))
        found: tuple[Any, ...] = comfy.sd.load_checkpoint_guess_config(path, output_clipvision=False)
        return found

    def _control(self) -> Any:
        import comfy.controlnet

        return comfy.controlnet.load_controlnet(str(self._host.folders.path("controlnet", "tiny.safetensors")))

    def _ksampler(self) -> Any:
        import comfy.samplers

        return comfy.samplers.KSampler(self._checkpoint[0], 4, torch.device("cpu"), "euler", "normal")

    def _guider(self) -> Any:
        """A guider as it is in the middle of drawing."""
        import comfy.samplers

        seen = []

        class Looks(comfy.samplers.CFGGuider):
            def predict_noise(self, *args: Any, **options: Any) -> Any:
                seen.append(copy.copy(self))
                return super().predict_noise(*args, **options)

        guider = Looks(self._checkpoint[0])
        text = [[torch.zeros(1, 77, 64), {}]]
        guider.set_conds(text, text)
        latent = torch.zeros(1, 4, 8, 8)
        sampler = comfy.samplers.sampler_object("euler")
        guider.sample(torch.ones_like(latent), latent, sampler, torch.tensor([1.0, 0.0]))
        return seen[0]

    def _vision(self) -> Any:
        import comfy.clip_vision
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

        shape = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 1, "num_attention_heads": 1}
        config = CLIPVisionConfig(**shape, patch_size=8, image_size=32, projection_dim=24)
        state = CLIPVisionModelWithProjection(config).state_dict()
        return comfy.clip_vision.load_clipvision_from_sd({k: v for k, v in state.items() if "position_ids" not in k})

    @cached_property
    def _makers(self) -> Mapping[str, Callable[[], Any]]:
        import comfy.hooks
        import comfy.k_diffusion.sampling as k_diffusion
        import comfy.patcher_extension
        import comfy.samplers
        import comfy.utils
        import latent_preview
        from comfy_api.latest import io

        return {
            "comfy.utils.ProgressBar": lambda: comfy.utils.ProgressBar(3),
            "comfy.hooks.HookKeyframe": lambda: comfy.hooks.HookKeyframe(0.5),
            "comfy.model_patcher.ModelPatcher": lambda: self._checkpoint[0],
            "comfy.samplers.CFGGuider": self._guider,
            "comfy.samplers.KSAMPLER": lambda: comfy.samplers.KSAMPLER(print),
            "comfy.samplers.KSampler": self._ksampler,
            "comfy.sd.CLIP": lambda: self._checkpoint[1],
            "comfy.sd.VAE": lambda: self._checkpoint[2],
            "comfy.controlnet.ControlBase": self._control,
            "comfy.clip_vision.ClipVisionModel": self._vision,
            "comfy.k_diffusion.sampling.BrownianTreeNoiseSampler": lambda: k_diffusion.BrownianTreeNoiseSampler(
                torch.zeros(1, 4, 8, 8), 0.1, 10.0, seed=0
            ),
            "comfy.patcher_extension.WrapperExecutor": lambda: (
                comfy.patcher_extension.WrapperExecutor.new_class_executor(print, self, [])
            ),
            "latent_preview.Latent2RGBPreviewer": lambda: latent_preview.Latent2RGBPreviewer([[1.0] * 3] * 4),
            "comfy_api.latest.io.Custom": lambda: io.Custom("MINE"),
            "comfy_api.latest.io.Autogrow.TemplateNames": lambda: io.Autogrow.TemplateNames(
                input=io.Int.Input("a"), names=["a", "b"], min=1
            ),
            "comfy_api.latest.io.ComfyNode": lambda: io.ComfyNode,
            "comfy_api.latest.ComfyExtension": lambda: self,
        }

    def _values(self) -> Mapping[str, Sequence[Callable[[], Any]]]:
        """What plugins hold under these names: one kind of value, or several."""
        import comfy.controlnet
        import comfy.latent_formats
        import comfy.model_sampling

        import server

        model, clip, vae = self._checkpoint[:3]
        instance: Any = server.PromptServer.instance  # type: ignore[attr-defined]  # furnished
        flow = comfy.model_sampling.ModelSamplingDiscreteFlow
        return {
            "MODEL": [lambda: model],
            "CLIP": [lambda: clip],
            "VAE": [lambda: vae],
            "BaseModel": [lambda: model.model],
            "CFGGuider": [self._guider],
            "ClipVisionModel": [self._vision],
            "ControlBase": [
                self._control,
                lambda: comfy.controlnet.T2IAdapter(torch.nn.Identity(), 3, 8, "nearest-exact"),
            ],
            "KSampler": [self._ksampler],
            "LatentFormat": [comfy.latent_formats.SD15],
            "latent_format": [lambda: model.model.latent_format],
            "ModelSampling": [lambda: model.model.model_sampling, flow],
            "model_sampling": [lambda: model.model.model_sampling],
            "model_config": [lambda: model.model.model_config],
            "diffusion_model": [lambda: model.model.diffusion_model],
            "PromptServer": [lambda: instance, lambda: instance.app],
            "prompt_queue": [lambda: instance.prompt_queue],
            "cond_stage_model": [lambda: clip.cond_stage_model],
            "first_stage_model": [lambda: vae.first_stage_model],
            "tokenizer": [lambda: clip.tokenizer.clip_l.tokenizer, lambda: clip.tokenizer],
        }
