"""The options of the command line, under ComfyUI's names, as one frozen value that is handed on.

A ComfyUI user's start command should work here: options that mean something to us do what they do there, and those
about choices we make ourselves are accepted.
"""

import argparse
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from engine.errors import SettingsError
from engine.folders import Folders

Precision = Literal["auto", "fp32", "fp16", "bf16"]
PreviewMethod = Literal["none", "auto", "latent2rgb", "taesd"]
Storage = Literal["file", "fp8_e4m3fn", "fp8_e5m2"]
Memory = Literal["auto", "gpu-only", "highvram", "normalvram", "lowvram", "novram"]

GIBIBYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a person may decide when starting the program.

    Units: cache budgets, reserve_vram and model_memory are bytes; None lets the program choose. preview_size is pixels.
    """

    base_directory: Path | None = None
    output_directory: Path | None = None
    input_directory: Path | None = None
    temp_directory: Path | None = None
    user_directory: Path | None = None
    extra_model_paths: tuple[Path, ...] = ()
    disable_all_custom_nodes: bool = False
    whitelist_custom_nodes: tuple[str, ...] = ()

    cpu: bool = False
    cuda_device: str | None = None
    deterministic: bool = False
    memory: Memory = "auto"
    reserve_vram: int | None = None
    model_memory: int | None = None

    precision: Precision = "auto"
    unet_precision: Precision = "auto"
    vae_precision: Precision = "auto"
    text_precision: Precision = "auto"
    unet_storage: Storage = "file"
    text_storage: Storage = "file"
    cpu_vae: bool = False

    cache_ram: int | None = None
    cache_vram: int | None = None
    cache_disk: int = 0
    cache_none: bool = False

    disable_metadata: bool = False
    preview_method: PreviewMethod = "none"
    preview_size: int = 512
    verbose: str = "INFO"
    ignored: tuple[str, ...] = field(default=(), compare=False)

    def folders(self) -> Folders:
        """The folders these settings ask for.

        Raises: SettingsError when the base directory is not there, or an extra model paths file cannot be read.
        """
        if self.base_directory is not None and not self.base_directory.expanduser().is_dir():
            raise SettingsError(
                f"--base-directory {self.base_directory}: there is no such folder; make it, or give the one that "
                "holds models, input and output"
            )
        # ComfyUI: the temporary folder is emptied at start, so it is a folder of our own inside the one given.
        temp = self.temp_directory / "temp" if self.temp_directory else None
        return Folders(
            self.base_directory or default_base(),
            output=self.output_directory,
            input=self.input_directory,
            temp=temp,
            user=self.user_directory,
            extra=self.extra_model_paths,
        )

    def to_json(self) -> str:
        """These settings as text, for another process's command line."""
        return json.dumps(asdict(self), default=str)  # what JSON does not know are the paths

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """The settings that `to_json` wrote.

        Raises: SettingsError, when they are of another version.
        """
        try:
            said = json.loads(text)
            for name in [each for each in said if each.endswith("_directory")]:
                said[name] = None if said[name] is None else Path(said[name])
            said["extra_model_paths"] = tuple(Path(each) for each in said["extra_model_paths"])
            said["whitelist_custom_nodes"] = tuple(said["whitelist_custom_nodes"])
            return cls(**{**said, "ignored": tuple(said["ignored"])})
        except (ValueError, TypeError, KeyError) as error:
            raise SettingsError(
                f"--settings: expected what this version of Latentwire writes, got {text!r:.200}"
            ) from error


def default_base() -> Path:
    """Where models/, input/ and output/ are when nobody says: the repository, or the working directory if installed."""
    home = Path(__file__).resolve().parent.parent
    return home if (home / "pyproject.toml").is_file() else Path.cwd()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds every option to a parser; `from_namespace` reads what it parsed."""
    _add_folders(parser.add_argument_group("folders"))
    _add_plugins(parser.add_argument_group("plugins"))
    _add_device(parser.add_argument_group("device"))
    _add_precision(parser.add_argument_group("precision"))
    _add_cache(parser.add_argument_group("cache"))
    _add_output(parser.add_argument_group("pictures and messages"))
    for name in ACCEPTED:
        parser.add_argument(f"--{name}", action="append_const", dest="ignored", const=name, help=argparse.SUPPRESS)
    for name, count in ACCEPTED_WITH_VALUES.items():
        parser.add_argument(f"--{name}", nargs=count, help=argparse.SUPPRESS)


def from_namespace(namespace: argparse.Namespace) -> Settings:
    """The settings an argument parser read; what it did not read keeps its default."""
    known = {each.name for each in fields(Settings)}
    given: dict[str, Any] = {name: value for name, value in vars(namespace).items() if name in known}
    for name in ("extra_model_paths", "whitelist_custom_nodes", "ignored"):
        found = given.get(name) or ()
        given[name] = tuple(entry for each in found for entry in (each if isinstance(each, list) else [each]))
    for name in ("precision", "unet_precision", "vae_precision", "text_precision", "memory"):
        given[name] = given.get(name) or "auto"
    for name in ("unet_storage", "text_storage"):
        given[name] = given.get(name) or "file"
    return Settings(**{name: value for name, value in given.items() if value is not None})


def parse(arguments: Sequence[str]) -> Settings:
    """The settings a list of words asks for.

    Raises: SettingsError naming the option, where argparse alone would end the program.
    """
    parser = argparse.ArgumentParser(exit_on_error=False, add_help=False)
    add_arguments(parser)
    try:
        namespace, rest = parser.parse_known_args(arguments)
    except (argparse.ArgumentError, argparse.ArgumentTypeError) as error:
        raise SettingsError(str(error)) from error
    if rest:
        raise SettingsError(f"unknown option {rest[0]!r}; --help lists those there are")
    return from_namespace(namespace)


ACCEPTED = (
    "auto-launch",
    "disable-auto-launch",
    "cuda-malloc",
    "disable-cuda-malloc",
    "disable-xformers",
    "use-split-cross-attention",
    "use-quad-cross-attention",
    "use-pytorch-cross-attention",
    "use-sage-attention",
    "use-flash-attention",
    "force-upcast-attention",
    "dont-upcast-attention",
    "force-channels-last",
    "disable-smart-memory",
    "disable-async-offload",
    "disable-pinned-memory",
    "force-non-blocking",
    "supports-fp8-compute",
    "fp8_e8m0fnu-unet",
    "fp64-unet",
    "disable-ipex-optimize",
    "enable-dynamic-vram",
    "disable-dynamic-vram",
    "high-ram",
    "enable-manager",
    "disable-manager-ui",
    "enable-manager-legacy-ui",
    "enable-assets",
    "disable-assets-autoscan",
    "log-stdout",
    "dont-print-server",
    "windows-standalone-build",
    "disable-api-nodes",
    "mmap-torch-files",
    "disable-mmap",
    "cache-classic",
)
"""Options of ComfyUI that ask for nothing a picture would show: accepted and kept in `Settings.ignored`."""

ACCEPTED_WITH_VALUES: dict[str, str | int] = {
    "fast": "*",
    "async-offload": "?",
    "directml": "?",
    "default-device": 1,
    "oneapi-device-selector": 1,
    "cache-lru": 1,
    "vram-headroom": 1,
}
"""The same with what follows them: how many words, as argparse counts them."""


STORED = {
    "unet_precision": (("fp8_e4m3fn", "--fp8_e4m3fn-unet"), ("fp8_e5m2", "--fp8_e5m2-unet")),
    "text_precision": (("fp8_e4m3fn", "--fp8_e4m3fn-text-enc"), ("fp8_e5m2", "--fp8_e5m2-text-enc")),
}
"""The options for how weights rest; they exclude those for what is computed in."""


def _add_folders(group: Any) -> None:
    group.add_argument("--base-directory", type=Path, metavar="DIR", help="holds models, input, output, temp, user")
    for name in ("output", "input", "temp", "user"):
        text = f"{name} files, instead of {name}/ in the base directory"
        group.add_argument(f"--{name}-directory", type=Path, metavar="DIR", help=text)
    group.add_argument(
        "--extra-model-paths-config",
        dest="extra_model_paths",
        type=Path,
        nargs="+",
        action="append",
        metavar="FILE",
        help="more model folders, in the format of ComfyUI's extra_model_paths.yaml",
    )


def _add_plugins(group: Any) -> None:
    group.add_argument("--disable-all-custom-nodes", action="store_true", help="import no plugins")
    group.add_argument(
        "--whitelist-custom-nodes",
        nargs="+",
        action="append",
        metavar="NAME",
        help="plugins (names in custom_nodes) to import all the same",
    )


def _add_device(group: Any) -> None:
    group.add_argument("--cpu", action="store_true", help="use no GPU")
    group.add_argument("--cuda-device", metavar="ID", help="which GPU to use; others stay invisible")
    group.add_argument("--deterministic", action="store_true", help="slower kernels that repeat themselves exactly")
    memory = group.add_mutually_exclusive_group()
    for name, text in {
        "gpu-only": "keep everything on the GPU",
        "highvram": "keep models on the GPU after use",
        "normalvram": "move models to the GPU when they are used",
        "lowvram": "leave half of what is free to the work; of larger models, layers come when they are used",
        "novram": "no model stays anywhere: every layer comes when it is used",
    }.items():
        memory.add_argument(f"--{name}", dest="memory", action="store_const", const=name, help=text)
    group.add_argument("--reserve-vram", type=gibibytes, metavar="GB", help="GPU memory to leave to other programs")
    text = "most memory of a device, main memory included, that models may take; the rest comes layer by layer"
    group.add_argument("--model-memory", type=gibibytes, metavar="GB", help=text)


def _add_precision(group: Any) -> None:
    parts = {"precision": "everything", "unet_precision": "the denoiser", "vae_precision": "the VAE"}
    flags = {
        "precision": ("--force-fp32", "--force-fp16"),
        "unet_precision": ("--fp32-unet", "--fp16-unet", "--bf16-unet"),
        "vae_precision": ("--fp32-vae", "--fp16-vae", "--bf16-vae"),
        "text_precision": ("--fp32-text-enc", "--fp16-text-enc", "--bf16-text-enc"),
    }
    for setting, names in flags.items():
        one_of = group.add_mutually_exclusive_group()
        for name in names:
            number = next(each for each in get_args(Precision) if each in name)
            text = f"{parts.get(setting, 'the text encoder')} in {number}"
            one_of.add_argument(name, dest=setting, action="store_const", const=number, help=text)
        for storage, name in STORED.get(setting, ()):
            text = f"keep the weights of {parts.get(setting, 'the text encoder')} in 8 bits, whatever their file has"
            dest = setting.replace("precision", "storage")
            one_of.add_argument(name, dest=dest, action="store_const", const=storage, help=text)
    group.add_argument("--cpu-vae", action="store_true", help="run the VAE on the CPU")


def _add_cache(group: Any) -> None:
    texts = {"ram": "main memory", "vram": "GPU memory"}
    for name, where in texts.items():
        text = f"most {where} that results of nodes may keep for the next run"
        # ComfyUI: --cache-ram alone lets the program choose.
        group.add_argument(f"--cache-{name}", type=gibibytes, nargs="?", metavar="GB", help=text)
    group.add_argument("--cache-disk", type=gibibytes, metavar="GB", help="the same on disk (default 0: none)")
    group.add_argument("--cache-none", action="store_true", help="keep no results; every run does everything")


def _add_output(group: Any) -> None:
    group.add_argument("--disable-metadata", action="store_true", help="do not write the workflow into pictures")
    group.add_argument("--preview-method", choices=get_args(PreviewMethod), help="how to show a picture in the making")
    group.add_argument("--preview-size", type=pixels, metavar="PX", help="longest side of previews (default 512)")
    levels = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    # ComfyUI: --verbose alone means DEBUG.
    group.add_argument("--verbose", choices=levels, nargs="?", const="DEBUG", help="how much to say")


def gibibytes(text: str) -> int:
    """Reads "1.5" as 1.5 GiB, in bytes; also "512M" or "2G". Raises: argparse.ArgumentTypeError."""
    found = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([MG]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if found is None or not math.isfinite(float(found[1])):
        raise argparse.ArgumentTypeError(f"expected a number of GB such as 4 or 1.5, got {text!r}")
    return int(float(found[1]) * (GIBIBYTE if found[2].upper() != "M" else 1 << 20))


def pixels(text: str) -> int:
    """Reads a side of 1 to 16384 pixels. Raises: argparse.ArgumentTypeError."""
    if not re.fullmatch(r"[0-9]{1,5}", text.strip()) or not 1 <= int(text) <= 16384:
        raise argparse.ArgumentTypeError(f"expected a number of pixels from 1 to 16384, got {text!r}")
    return int(text)
