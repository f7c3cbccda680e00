"""Which device each part of a model runs on, and in which number format.

Source: node_behaviour.md A.7.
"""

from dataclasses import dataclass
from typing import Literal

import torch

from engine.errors import SettingsError
from engine.settings import Precision, Settings

CPU = torch.device("cpu")
DTYPES: dict[str, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

STORAGES: dict[str, torch.dtype] = {"fp8_e4m3fn": torch.float8_e4m3fn, "fp8_e5m2": torch.float8_e5m2}

LOW_SHARE = 0.5
"""Of what is free, how much weights may take with --lowvram: who asks for it, runs out of memory at work."""

PartKind = Literal["network", "text", "vae"]


@dataclass(frozen=True)
class Place:
    """Where a part runs, and the number format it computes in (its file may store another)."""

    device: torch.device
    dtype: torch.dtype


@dataclass(frozen=True)
class Devices:
    """The devices of this machine as the settings want them used.

    `text` is where text encoders run, when that is another. `keeps` says whether a part stays on the device after use;
    `reserve` is what is left free there, in bytes; `share` how much of what is free weights may take, `budget` how many
    bytes at most. The storages are the number formats that weights rest in, None for that of their file.
    """

    main: torch.device = CPU
    vae: torch.device = CPU
    half: tuple[torch.dtype, ...] = ()
    network_precision: Precision = "auto"
    text_precision: Precision = "auto"
    vae_precision: Precision = "auto"
    keeps: bool = True
    reserve: int = 0
    text: torch.device | None = None
    share: float = 1.0
    budget: int | None = None
    network_storage: torch.dtype | None = None
    text_storage: torch.dtype | None = None

    def place(self, kind: PartKind, stored: torch.dtype = torch.float32) -> Place:
        """Where a part with weights stored in this format runs."""
        device = {"vae": self.vae, "text": self.text or self.main}.get(kind, self.main)
        wanted = {"network": self.network_precision, "text": self.text_precision, "vae": self.vae_precision}[kind]
        if wanted != "auto":
            return Place(device, DTYPES[wanted])
        if device.type == "cpu" or kind == "text":
            # ComfyUI: text encoders compute in float32 whatever their weights are stored in.
            return Place(device, torch.float32)
        if kind == "vae":
            # Stable Diffusion's autoencoders overflow in float16.
            return Place(device, torch.bfloat16 if torch.bfloat16 in self.half else torch.float32)
        usable = [dtype for dtype in (stored, torch.float16, torch.bfloat16) if dtype in self.half]
        return Place(device, usable[0] if usable else torch.float32)


def choose(settings: Settings) -> Devices:
    """The devices and number formats for these settings on this machine.

    Raises: SettingsError, when a device is asked for that is not there.
    """
    main = CPU if settings.cpu else _accelerator(settings)
    shared = settings.precision
    return Devices(
        main=main,
        vae=CPU if settings.cpu_vae else main,
        half=_half_formats(main),
        network_precision=settings.unet_precision if settings.unet_precision != "auto" else shared,
        text_precision=settings.text_precision,
        vae_precision=settings.vae_precision if settings.vae_precision != "auto" or shared == "fp16" else shared,
        keeps=settings.memory not in ("lowvram", "novram"),
        reserve=settings.reserve_vram if settings.reserve_vram is not None else _usual_reserve(main),
        share=LOW_SHARE if settings.memory == "lowvram" else 1.0,
        budget=0 if settings.memory == "novram" else settings.model_memory,
        network_storage=STORAGES.get(settings.unet_storage),
        text_storage=STORAGES.get(settings.text_storage),
    )


def _accelerator(settings: Settings) -> torch.device:
    if torch.cuda.is_available():
        # Several numbers restrict what CUDA shows to this process; the first of them is used.
        index = int(str(settings.cuda_device or "0").split(",")[0])
        if index >= torch.cuda.device_count():
            raise SettingsError(f"--cuda-device {index}: there are only {torch.cuda.device_count()}, counted from 0")
        return torch.device("cuda", index)
    if settings.cuda_device is not None:
        raise SettingsError(
            f"--cuda-device {settings.cuda_device}: no CUDA device here; leave the option out, or --cpu"
        )
    return torch.device("mps") if torch.backends.mps.is_available() else CPU


def _half_formats(device: torch.device) -> tuple[torch.dtype, ...]:
    """The 16-bit formats that a device computes in well."""
    if device.type == "mps":
        return (torch.float16,)
    if device.type != "cuda":
        return ()
    capability = torch.cuda.get_device_capability(device)
    # GTX 16 cards give NaN in float16; before Volta it is slower than float32.
    fp16 = capability >= (7, 0) and "GTX 16" not in torch.cuda.get_device_name(device)
    bf16 = capability >= (8, 0)
    return (torch.float16,) * fp16 + (torch.bfloat16,) * bf16


def _usual_reserve(device: torch.device) -> int:
    """Room for other programs and what allocators round up: a round guess, for which there is --reserve-vram."""
    return 1 << 30 if device.type == "cpu" else 600 << 20
