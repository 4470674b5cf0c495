"""Writes model.onnx, manifest.json and the small checkpoint from a training run, and checks them against the f32 student."""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch

from data import hold_out, list_images, load_images, random_views
from evaluate import embed
from graph import TAP_NAMES, build
from rounding import input_grams
from same_class import same_class_cosines
from student import DIM, SIZE, Student
from targets import normalise
from teacher import MEAN, STD

HERE = Path(__file__).resolve().parent


def canary_pixels():
    """A fixed synthetic image: byte ((x*7 + y*13 + c*31 + ((x*y) % 61)*3) % 256) at channel c, row y, column x; normalised."""
    c, y, x = np.meshgrid(np.arange(3), np.arange(SIZE), np.arange(SIZE), indexing="ij")
    byte = (x * 7 + y * 13 + c * 31 + ((x * y) % 61) * 3) % 256
    mean, std = np.array(MEAN)[:, None, None], np.array(STD)[:, None, None]
    return ((byte / 255 - mean) / std).astype(np.float32)[None]


def load_checkpoint(paths):
    """The last of the checkpoints, its weights replaced by the mean of all of them (Wortsman et al. 2022, model soups)."""
    saved = [torch.load(path, map_location="cpu") for path in paths]
    mean = lambda name: torch.stack([s["average"][name].float() for s in saved]).mean(0)
    return saved[-1] | {"average": {k: mean(k) if v.is_floating_point() else v for k, v in saved[-1]["average"].items()}}


def load_student(average):
    """A checkpoint's weights as an f32 student ready to run."""
    student = Student()
    student.load_state_dict(average)
    return student.requires_grad_(False).eval()


def calibration_pixels(folder, count=512):
    """Views of training images, the same ones every time, on which the rounding of weights is decided."""
    places, _ = hold_out(list_images(folder), 512)
    images = load_images([places[i] for i in np.random.default_rng(0).permutation(len(places))[:count]])
    return normalise(torch.from_numpy(random_views(images, np.arange(len(images)), SIZE, 7)))


def cosines(a, b):
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--shared", type=Path, default=HERE.parents[2] / "../shared", help="folder with distill/")
    p.add_argument("--checkpoint", type=Path, nargs="+", default=[HERE / "work/checkpoint.pt"], help="of several, the mean of their weights")
    p.add_argument("--out", type=Path, default=HERE.parent)
    args = p.parse_args()
    saved = load_checkpoint(args.checkpoint)
    student = load_student(saved["average"])

    model = build(student, input_grams(student, calibration_pixels(args.shared / "distill")))
    onnx.checker.check_model(model, full_check=True)
    path = args.out / "model.onnx"
    onnx.save(model, path)

    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(1)
    canary = canary_pixels()
    for batch in (1, 8):
        pixels = np.concatenate([canary, torch.randn(batch - 1, 3, SIZE, SIZE, generator=generator).numpy()])
        found = session.run(["taps"], {"pixel_values": pixels})[0]
        lowest = cosines(found, student(torch.from_numpy(pixels)).numpy()).min(0)
        print(f"batch {batch}: lowest cosine to f32 by tap", dict(zip(TAP_NAMES, lowest.round(5).tolist())))
        if lowest.min() < 0.999:
            raise SystemExit("Expected every tap within cosine 0.999 of f32.")

    data = path.read_bytes()
    spec = {"name": "pixel_values", "size": SIZE, "resize": SIZE, "resample": "bicubic", "mean": MEAN, "std": STD}
    manifest = {
        "name": "imprint-tiny", "version": 1, "file": path.name, "sizeBytes": len(data), "sha256": hashlib.sha256(data).hexdigest(),
        "licence": "Apache-2.0",
        "input": spec,
        "output": {"name": "taps", "taps": [{"name": name} for name in TAP_NAMES], "dim": DIM},
        "sameClass": same_class_cosines(lambda images: embed(session, images, spec), args.shared / "distill"),
        "canary": {"seed": 1, "embedding": [round(v, 6) for v in student(torch.from_numpy(canary)).flatten().tolist()]},
        "origin": "trained in this repository, see train/",
    }
    (args.out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")

    half = {k: v.half() if v.is_floating_point() else v for k, v in saved["average"].items()}
    small = args.out / "train/checkpoint/average-f16.pt"
    small.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"average": half, "scale": saved["scale"], "step": saved["step"], "samples": saved["samples"]}, small)
    print(f"model.onnx {len(data):,} bytes, checkpoint {small.stat().st_size:,} bytes, {saved['step']} steps, {saved['samples']:,} samples")


if __name__ == "__main__":
    main()
