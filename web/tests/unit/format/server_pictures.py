"""Pictures with the texts given on stdin, {"workflow": …, "prompt": …}, as the server writes them: {name: base64}."""

import base64
import io
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4]))

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine import metadata


def main() -> None:
    texts = json.load(sys.stdin)
    prompt, extra = texts.get("prompt"), {key: value for key, value in texts.items() if key != "prompt"}
    packed, international = PngInfo(), PngInfo()
    for key, value in texts.items():
        packed.add_text(key, json.dumps(value), zip=True)
        international.add_itxt(key, json.dumps(value, ensure_ascii=False), zip=True)
    exif = metadata.exif(prompt, extra)
    made = {
        "tEXt.png": picture("PNG", pnginfo=metadata.png_info(prompt, extra)),
        "zTXt.png": picture("PNG", pnginfo=packed),
        "iTXt.png": picture("PNG", pnginfo=international),
        "exif.webp": picture("WEBP", exif=exif),
        "exif.jpg": picture("JPEG", exif=exif),
        "bare.png": picture("PNG"),
    }
    json.dump({name: base64.b64encode(data).decode() for name, data in made.items()}, sys.stdout)


def picture(form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, form, **options)
    return buffer.getvalue()


main()
