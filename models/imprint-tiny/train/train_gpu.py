"""The chain stage on one GPU: every step sees new views and what the teacher says of them, made on the device; ends by the clock."""

import argparse
import json
import os
import time
from copy import deepcopy
from functools import partial
from pathlib import Path

import numpy as np
import torch

from data import hold_out, list_images, load_images, random_views
from device_views import disturb, resized_crops, stack_images, views
from muon import BatchedMuon
from student import SIZE, Student
from targets import Scale, mirrored_states, normalise
from teacher import MEAN, STD, Teacher
from train import losses, rounded


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--distill", type=Path, required=True, help="folder with the training images (.bin and .json)")
    p.add_argument("--drawings", type=Path, help="folder with further images of the same form, drawn (drawings.py)")
    p.add_argument("--teacher", type=Path, required=True, help="deit_tiny_patch16_224.onnx")
    p.add_argument("--start", type=Path, required=True, help="checkpoint to go on from")
    p.add_argument("--out", type=Path, required=True, help="folder for checkpoint.pt and log.jsonl")
    p.add_argument("--minutes", type=float, required=True, help="training ends after this time; the rate falls to zero with it")
    p.add_argument("--batch", type=int, default=1024)
    p.add_argument("--photos", type=float, default=0.65, help="share of a batch from the larger images, the rest from the small ones")
    p.add_argument("--drawn", type=float, default=0.25, help="share of a batch from the drawings, where there are any; the rest as said by --photos")
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--muon", type=float, default=4e-3)
    p.add_argument("--weight-decay", type=float, default=0.05)
    p.add_argument("--ema", type=float, default=0.998)
    p.add_argument("--kl", type=float, default=1.0)
    p.add_argument("--final", type=float, default=2.0)
    p.add_argument("--save-every", type=float, default=60, help="seconds")
    p.add_argument("--limit", type=int, help="images per file, for a quick trial")
    p.add_argument("--no-compile", action="store_true")
    return p.parse_args()


def save(path, average, scale, step, samples):
    half = {k: v.half() if v.is_floating_point() else v for k, v in average.state_dict().items()}
    torch.save({"average": half, "scale": scale.state_dict(), "step": step, "samples": samples}, f"{path}.part")
    os.replace(f"{path}.part", path)


def compiled(student, teacher):
    """Compiles what runs every step, block by block: one block's code serves all that share its shape."""
    torch._dynamo.config.suppress_errors = True  # slower where the compiler fails, never wrong
    for module in (*teacher.blocks, *student.blocks, student.trunk):
        module.compile(dynamic=False)
    return partial(views, crops=torch.compile(resized_crops, dynamic=False), disturb=torch.compile(disturb, dynamic=False))


def main():
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    log = open(args.out / "log.jsonl", "a", buffering=1)

    def say(**row):
        line = json.dumps({"at": time.strftime("%H:%M:%S"), **row})
        log.write(line + "\n")
        print(line, flush=True)

    train_places, held_places = hold_out(list_images(args.distill, args.limit), 512)
    images, held = load_images(train_places), load_images(held_places)
    groups = [[i for i in images if (min(i.shape[:2]) > 100) == large] for large in (True, False)]
    held_sets, drawn = {"held_out": held}, 0
    if args.drawings:
        train_places, held_places = hold_out(list_images(args.drawings, args.limit), 256)
        groups.append(load_images(train_places))
        held_sets["held_out_drawings"], drawn = load_images(held_places), round(args.batch * args.drawn)
    say(event="images", large=len(groups[0]), small=len(groups[1]), drawings=len(groups[2]) if args.drawings else 0)
    stacks = [stack_images(group, device) for group in groups]
    large = round((args.batch - drawn) * args.photos)
    counts = [large, args.batch - drawn - large, drawn][:len(groups)]
    mean, std = (torch.tensor(v, device=device)[:, None, None] * 255 for v in (MEAN, STD))

    teacher = Teacher(args.teacher).to(device)
    student, scale = Student().to(device, memory_format=torch.channels_last), Scale().to(device)
    saved = torch.load(args.start, map_location=device)
    student.load_state_dict(saved["average"])
    scale.load_state_dict(saved["scale"])
    step, samples = saved["step"], saved["samples"]
    average = deepcopy(student).requires_grad_(False).eval()
    averaged = [pair for pair in zip(average.state_dict().values(), student.state_dict().values()) if pair[0].is_floating_point()]
    own, theirs = map(list, zip(*averaged))
    muon = BatchedMuon([p for p in student.parameters() if p.ndim == 2], args.muon, args.weight_decay)
    adam = torch.optim.AdamW([p for p in student.parameters() if p.ndim != 2], args.lr, weight_decay=0, betas=(0.9, 0.98), fused=device.type == "cuda")
    held_views = {}
    for name, pictures in held_sets.items():
        pixels = normalise(torch.from_numpy(random_views(pictures, np.arange(len(pictures)), SIZE, 12345)).to(device))
        held_views[name] = pixels, torch.cat([mirrored_states(teacher, part) for part in pixels.split(64)])

    def judge():
        with torch.no_grad():
            found = {name: rounded(losses(average, teacher, scale, *views, args)[1]) for name, views in held_views.items()}
        say(event="judge", step=step, samples=samples, **found)

    judge()
    make_views = views if args.no_compile else compiled(student, teacher)
    half = torch.float16 if device.type == "cuda" else torch.bfloat16
    student.train()
    first, began = step, time.time()
    told = saved_at = began
    told_step = first
    while (left := 1 - (time.time() - began) / 60 / args.minutes) > 0:
        rows = [torch.randint(len(stack[0]), (count,), device=device) for stack, count in zip(stacks, counts)]
        with torch.no_grad():
            pixels = (make_views([tuple(t[at] for t in stack) for stack, at in zip(stacks, rows)], SIZE) - mean) / std
            states = mirrored_states(teacher, pixels, dtype=half, shift=8)
        loss, report = losses(student, teacher, scale, pixels, states, args)
        loss.backward()
        rate = min(1, (step - first + 1) / 100) * left
        for optimiser, lr in ((muon, args.muon), (adam, args.lr)):
            optimiser.param_groups[0]["lr"] = lr * rate
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        step, samples = step + 1, samples + args.batch
        torch._foreach_lerp_(own, theirs, 1 - min(args.ema, (1 + step - first) / (10 + step - first)))
        if step - first in (1, 10, 50) or time.time() - told > 15:
            if not torch.isfinite(loss):
                raise SystemExit(f"Expected a finite loss, got {loss.item()} at step {step}: start again with a lower --muon.")
            say(step=step, samples=samples, loss=round(loss.item(), 4), **rounded(report), rate=round(rate, 3),
                per_s=round((step - told_step) * args.batch / (time.time() - told)))
            told, told_step = time.time(), step
        if time.time() - saved_at > args.save_every:
            save(args.out / "checkpoint.pt", average, scale, step, samples)
            judge()
            saved_at = time.time()
    save(args.out / "checkpoint.pt", average, scale, step, samples)
    judge()


if __name__ == "__main__":
    main()
