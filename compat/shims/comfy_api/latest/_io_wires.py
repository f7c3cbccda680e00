"""The types of values that only come over wires."""

from typing import Any

import torch

from comfy_api.latest._io_sockets import ComfyTypeIO, comfytype
from comfy_api.latest._io_widgets import Combo, FolderType, UploadType


def _wire(name: str, io_type: str, of: Any = Any) -> type[ComfyTypeIO]:
    made = type(name, (ComfyTypeIO,), {"Type": of, "__module__": "comfy_api.latest.io", "__doc__": f"{io_type}."})
    return comfytype(io_type=io_type)(made)


AnyType = _wire("AnyType", "*")
Image = _wire("Image", "IMAGE", torch.Tensor)
Mask = _wire("Mask", "MASK", torch.Tensor)
Latent = _wire("Latent", "LATENT", dict[str, Any])
Conditioning = _wire("Conditioning", "CONDITIONING", list[Any])
Model = _wire("Model", "MODEL")
Clip = _wire("Clip", "CLIP")
Vae = _wire("Vae", "VAE")
ControlNet = _wire("ControlNet", "CONTROL_NET")
Sampler = _wire("Sampler", "SAMPLER")
Sigmas = _wire("Sigmas", "SIGMAS", torch.Tensor)
Noise = _wire("Noise", "NOISE")
Guider = _wire("Guider", "GUIDER")
ClipVision = _wire("ClipVision", "CLIP_VISION")
ClipVisionOutput = _wire("ClipVisionOutput", "CLIP_VISION_OUTPUT")
StyleModel = _wire("StyleModel", "STYLE_MODEL")
Gligen = _wire("Gligen", "GLIGEN")
UpscaleModel = _wire("UpscaleModel", "UPSCALE_MODEL")
LatentUpscaleModel = _wire("LatentUpscaleModel", "LATENT_UPSCALE_MODEL")
ModelPatch = _wire("ModelPatch", "MODEL_PATCH")
MODEL_PATCH = ModelPatch
Audio = _wire("Audio", "AUDIO", dict[str, Any])
AudioEncoder = _wire("AudioEncoder", "AUDIO_ENCODER")
AudioEncoderOutput = _wire("AudioEncoderOutput", "AUDIO_ENCODER_OUTPUT")
Video = _wire("Video", "VIDEO")
SVG = _wire("SVG", "SVG")
LoraModel = _wire("LoraModel", "LORA_MODEL", dict[str, torch.Tensor])
LossMap = _wire("LossMap", "LOSS_MAP", dict[str, Any])
Voxel = _wire("Voxel", "VOXEL")
Mesh = _wire("Mesh", "MESH")
Hooks = _wire("Hooks", "HOOKS")
HookKeyframes = _wire("HookKeyframes", "HOOK_KEYFRAMES")
TimestepsRange = _wire("TimestepsRange", "TIMESTEPS_RANGE", tuple[int, int])
LatentOperation = _wire("LatentOperation", "LATENT_OPERATION")
FlowControl = _wire("FlowControl", "FLOW_CONTROL")
Accumulation = _wire("Accumulation", "ACCUMULATION")
Load3D = _wire("Load3D", "LOAD_3D")
Load3DAnimation = _wire("Load3DAnimation", "LOAD_3D_ANIMATION")
Load3DCamera = _wire("Load3DCamera", "LOAD3D_CAMERA")
Photomaker = _wire("Photomaker", "PHOTOMAKER")
Point = _wire("Point", "POINT")
FaceAnalysis = _wire("FaceAnalysis", "FACE_ANALYSIS")
BBOX = _wire("BBOX", "BBOX")
BoundingBox = _wire("BoundingBox", "BOUNDING_BOX")
Tracks = _wire("Tracks", "TRACKS")
SEGS = _wire("SEGS", "SEGS")
WanCameraEmbedding = _wire("WanCameraEmbedding", "WAN_CAMERA_EMBEDDING", torch.Tensor)


@comfytype(io_type="WEBCAM")
class Webcam(ComfyTypeIO):
    """A picture that the browser takes."""

    Type = str


class ImageUpload:
    """A combo of the pictures in the input folder, with a button to add one."""

    class Input(Combo.Input):
        """The combo."""

        def __init__(self, id: str, options: Any = None, **more: Any) -> None:
            more = {"upload": UploadType.image, "image_folder": FolderType.input} | more
            super().__init__(id, options, **more)
