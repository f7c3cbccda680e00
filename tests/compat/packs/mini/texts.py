"""Prompts as authors control them: weights rewritten between tokenising and encoding, LoRAs by hooks over the steps."""

import comfy.hooks
import comfy.sd
import comfy.utils
import folder_paths
import node_helpers


class EncodeScaled:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "clip": ("CLIP",),
                "text": ("STRING", {"multiline": True, "dynamicPrompts": True}),
                "scale": ("FLOAT", {"default": 1.0}),
            }
        }

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "encode"
    CATEGORY = "mini"

    def encode(self, clip, text, scale):
        tokens = clip.tokenize(text, return_word_ids=True)
        for key, rows in tokens.items():
            tokens[key] = [
                [(token, weight if word == 0 else weight * scale, word) for token, weight, word in row] for row in rows
            ]
        cond, pooled = clip.encode_from_tokens(tokens, return_pooled=True)
        return (node_helpers.conditioning_set_values([[cond, {"pooled_output": pooled}]], {"mini": text}),)


class ScheduleLora:
    """A LoRA from one moment to another."""

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "clip": ("CLIP",),
                "text": ("STRING",),
                "lora_name": (folder_paths.get_filename_list("loras"),),
                "strength": ("FLOAT", {"default": 1.0}),
                "start": ("FLOAT", {"default": 0.5}),
            }
        }

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "encode"
    CATEGORY = "mini"

    def encode(self, clip, text, lora_name, strength, start):
        lora = comfy.utils.load_torch_file(folder_paths.get_full_path_or_raise("loras", lora_name), safe_load=True)
        hooks = comfy.hooks.create_hook_lora(lora=lora, strength_model=strength, strength_clip=0.0)
        frames = comfy.hooks.HookKeyframeGroup()
        frames.add(comfy.hooks.HookKeyframe(strength=0.0, start_percent=0.0))
        frames.add(comfy.hooks.HookKeyframe(strength=1.0, start_percent=start))
        hooks.set_keyframes_on_hooks(hook_kf=frames)
        conds = clip.encode_from_tokens_scheduled(clip.tokenize(text))
        return (comfy.hooks.set_hooks_for_conditioning(conds, hooks),)


NODE_CLASS_MAPPINGS = {"MiniEncodeScaled": EncodeScaled, "MiniScheduleLora": ScheduleLora}
