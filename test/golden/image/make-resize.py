"""Makes test/golden/image/resize.json with Pillow: what resize + centre crop give for computed pictures.

Run: python test/golden/image/make-resize.py   (needs numpy, Pillow)
"""

import base64
import json
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

CASES = [
    # width, height, resize, size, resample
    (64, 48, 32, 28, "bicubic"),
    (64, 48, 32, 28, "bilinear"),
    (33, 61, 32, 28, "bicubic"),
    (120, 90, 28, 24, "bicubic"),
    (401, 299, 28, 24, "bicubic"),
    (401, 299, 28, 24, "bilinear"),
    (640, 480, 28, 24, "bicubic"),
    (9, 7, 32, 28, "bicubic"),
    (1, 1, 16, 12, "bicubic"),
    (900, 3, 20, 16, "bicubic"),
    (3, 900, 20, 16, "bilinear"),
]


def picture(width, height):
    """Smooth waves, steep edges and something like noise, all in whole numbers so that every language makes the same bytes."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    red = (x * 5 + y * 3) % 256
    green = np.where((x // 7 + y // 5) % 2 == 0, 255, 0)
    blue = ((x * x * 31 + y * y * 17 + x * y * 13) % 65521) % 256
    return np.stack([red, green, blue], -1).astype(np.uint8)


cases = []
for width, height, resize, size, resample in CASES:
    image = Image.fromarray(picture(width, height))
    # torchvision's Resize and CenterCrop.
    new_width = resize if width <= height else int(resize * width / height)
    new_height = resize if height <= width else int(resize * height / width)
    left, top = round((new_width - size) / 2), round((new_height - size) / 2)
    kernel = Image.Resampling.BICUBIC if resample == "bicubic" else Image.Resampling.BILINEAR
    pixels = image.resize((new_width, new_height), kernel, reducing_gap=2.0).crop((left, top, left + size, top + size))
    cases.append(
        {
            "width": width,
            "height": height,
            "resize": resize,
            "size": size,
            "resample": resample,
            "rgb": base64.b64encode(pixels.tobytes()).decode(),
        }
    )
text = json.dumps({"pillow": PIL.__version__, "cases": cases}, indent=1)
Path(__file__).with_name("resize.json").write_text(text + "\n")
