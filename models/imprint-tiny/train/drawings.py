"""Collects drawings, paintings, renderings and icons from free software packages into one more pair of `.bin` and `.json` for train_gpu.py.

Needs Debian's apt (with librsvg2-bin) and npm; no licence of the packages forbids this use, and none of their pictures is kept here.
"""

import argparse
import io
import json
import random
import subprocess
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from photos import SUFFIXES

Image.MAX_IMAGE_PIXELS = None  # wallpapers of 8K
SIDE = 144
# Debian package: at most so many pictures of it
PACKAGES = {
    "openclipart-png": 5300, "wesnoth-1.16-data": 1100, "pysiogame": 900, "tuxpaint-stamps-default": 800, "scratch": 520, "stellarium-data": 500,
    "freeorion-data": 450, "endless-sky-data": 400, "redeclipse-data": 350, "povray-examples": 350, "fillets-ng-data": 350, "widelands-data": 300,
    "freecol": 300, "hedgewars-data": 250, "supertux-data": 250, "boswars-data": 200, "opencv-doc": 200, "fotoxx-common": 190, "lincity-ng-data": 150,
    "krita-data": 150, "warmux-data": 150, "kphotoalbum": 120, "freeciv-data": 115, "openshot-qt": 100, "labelme-examples": 85, "marble-data": 80,
    "kodi-data": 60, "klettres-data": 60, "hugin-data": 40, "gfxboot-themes": 20, "enlightenment-data": 20, "ktuberling-data": 20, "visp-images-data": 20,
}
WALLPAPERS = ("plasma-workspace-wallpapers", "mate-backgrounds", "lomiri-wallpapers-16.04", "gnome-backgrounds", "ukui-wallpapers")
CROPS = 8  # of each wallpaper
# icon set of @iconify/json 2.2.535: likewise
ICONS = {
    "openmoji": 2400, "game-icons": 1000, "noto": 700, "streamline-freehand": 600, "streamline-freehand-color": 600, "noto-v1": 350, "twemoji": 350,
    "fxemoji": 350, "emojione-v1": 300, "emojione": 200, "icon-park": 200, "streamline-emojis": 200, "streamline-stickies-color": 200, "ph": 200,
    "arcticons": 180, "tabler": 180, "healthicons": 180, "fluent-emoji-flat": 180, "streamline-plump-color": 180, "streamline-kameleon-color": 180,
    "pinhead": 100, "flat-color-icons": 100, "lucide": 100, "iconmind": 70, "il": 60,
}
RENDERED = 1000  # pictures of @lobehub/fluent-emoji-3d 1.1.0
NO_PICTURE = ("flag", "skin", "arrow", "logo", "letter", "number", "clock", "keycap", "text", "align", "button")


def fetch(work):
    """Downloads and unpacks what `work` does not have yet."""
    for name in (*PACKAGES, *WALLPAPERS):
        if not (work / name).exists():
            subprocess.run(["apt-get", "download", "-q", name], cwd=work, check=True)
            subprocess.run(["dpkg-deb", "-x", next(work.glob(f"{name}_*.deb")), work / name], check=True)
    for name, folder in (("@iconify/json@2.2.535", "icons"), ("@lobehub/fluent-emoji-3d@1.1.0", "rendered")):
        if not (work / folder).exists():
            packed = subprocess.run(["npm", "pack", "--silent", name], cwd=work, check=True, capture_output=True, text=True).stdout.split()[-1]
            (work / folder).mkdir()
            subprocess.run(["tar", "xzf", packed, "-C", folder, "--strip-components=1"], cwd=work, check=True)


def pictures(folder, smallest):
    """Raster files below `folder` with a shorter side of `smallest` or more that are no strips of frames."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_symlink():
            try:
                width, height = Image.open(path).size
            except OSError:
                continue
            if min(width, height) >= smallest and max(width, height) < 3 * min(width, height):
                yield path


def jobs(work, rng):
    """What to make a picture of: (source, file or SVG text, whether to crop it, seed)."""
    pick = lambda found, count: rng.sample(found, min(count, len(found)))
    result = []
    for name, count in PACKAGES.items():
        result += [(name, path, False) for path in pick(list(pictures(work / name, 64 if name.startswith("tux") else 96)), count)]
    for name in WALLPAPERS:
        result += [(name, path, True) for path in pictures(work / name, 600) for _ in range(CROPS)]
    plain = [p for p in sorted((work / "rendered/assets").iterdir()) if "1f3f" not in p.name]
    result += [("fluent-emoji-3d", path, False) for path in pick(plain, RENDERED)]
    for name, count in ICONS.items():
        icons = json.loads((work / f"icons/json/{name}.json").read_text())
        for icon in pick([n for n in sorted(icons["icons"]) if not any(w in n for w in NO_PICTURE)], count):
            box = {"left": 0, "top": 0, "width": 16, "height": 16} | {k: v for k, v in icons.items() if k in ("width", "height")} | icons["icons"][icon]
            view = f'viewBox="{box["left"]} {box["top"]} {box["width"]} {box["height"]}"'
            links = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
            result.append((name, f'<svg {links} color="#000" {view} width="{SIDE}" height="{SIDE}">{box["body"]}</svg>', False))
    rng.shuffle(result)
    return [(*job, rng.random()) for job in result]


def on_ground(image, rng):
    """What is not transparent, cut out with a margin, on white or on a colour that it stands out from; None where nothing is left."""
    box = image.getchannel("A").point(lambda v: 255 * (v > 20)).getbbox()
    if box is None:
        return None
    margin = int(0.06 * max(box[2] - box[0], box[3] - box[1]))
    image = image.crop((box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin))
    levels = np.asarray(image)
    luma = levels[levels[..., 3] > 60][:, :3] @ (0.299, 0.587, 0.114)
    low, high = (0, 110) if luma.size and luma.mean() > 200 else (255, 255) if rng.random() < 0.68 else (130, 255)
    ground = Image.new("RGBA", image.size, tuple(rng.randint(low, high) for _ in range(3)) + (255,))
    return Image.alpha_composite(ground, image)


def make(job):
    """One picture like those of shared/distill: shorter side 144, longer at most 192, WebP. None where there is nothing to see."""
    _, source, crop, seed = job
    rng = random.Random(seed)
    if isinstance(source, str):
        source = io.BytesIO(subprocess.run(["rsvg-convert"], input=source.encode(), capture_output=True, check=True).stdout)
    try:
        image = Image.open(source).convert("RGBA")
    except (OSError, ValueError, SyntaxError):
        return None
    if crop:
        side = int(min(image.size) * rng.uniform(0.25, 0.9))
        left, top = rng.randint(0, image.width - side), rng.randint(0, image.height - side)
        image = image.crop((left, top, left + side, top + side))
    image.thumbnail((700, 700), Image.BICUBIC)
    image = on_ground(image, rng)
    if image is None or min(image.size) < 40:
        return None
    width, height = (min(a, b * 4 // 3) for a, b in (image.size, image.size[::-1]))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    scale = SIDE / min(width, height)
    image = image.convert("RGB").resize((round(width * scale), round(height * scale)), Image.LANCZOS, box=(left, top, left + width, top + height))
    if np.asarray(image).std() < 8:
        return None
    packed = io.BytesIO()
    image.save(packed, "webp", quality=60, method=4)
    return packed.getvalue(), difference_hash(image)


def difference_hash(image):
    """64 bits: where a grey thumbnail of 9x8 grows brighter to the right."""
    levels = np.asarray(image.convert("L").resize((9, 8), Image.BICUBIC)).astype(int)
    return np.packbits(levels[:, 1:] > levels[:, :-1])


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--shared", type=Path, default=Path("../../../../shared"), help="folder with photos/: what resembles one of them is left out")
    p.add_argument("--work", type=Path, required=True, help="folder for the packages (7 GB)")
    p.add_argument("--out", type=Path, required=True, help="folder for drawings-0.bin and drawings-0.json")
    p.add_argument("--seed", type=int, default=11)
    args = p.parse_args()
    for folder in (args.work, args.out):
        folder.mkdir(parents=True, exist_ok=True)
    fetch(args.work)
    todo = jobs(args.work, random.Random(args.seed))
    judged = np.stack([difference_hash(Image.open(path).convert("RGB")) for path in pictures(args.shared / "photos", 1)])
    with ProcessPoolExecutor() as pool:
        made = list(pool.map(make, todo, chunksize=32))
    index, data, seen = [], bytearray(), set()
    for (name, *_), found in zip(todo, made):
        if found is None or found[1].tobytes() in seen or np.unpackbits(judged ^ found[1], axis=1).sum(1).min() <= 3:
            continue
        seen.add(found[1].tobytes())
        index.append([name, len(data), len(found[0])])
        data += found[0]
    (args.out / "drawings-0.bin").write_bytes(data)
    (args.out / "drawings-0.json").write_text(json.dumps(index))
    print(f"{len(index)} of {len(todo)} pictures, {len(data):,} bytes")


if __name__ == "__main__":
    main()
