"""Distils the student from DeiT-Tiny: teacher views into a ring, several student passes over the ring, checkpoints."""

import argparse
import json
import os
import signal
import time
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F

from data import hold_out, list_images, load_images, random_views
from heads import few_shot, unit_taps
from photos import prepare, read_photos
from student import DEPTH, FIRST, SIZE, Student
from targets import Scale, normalise, teacher_states
from teacher import Teacher


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--shared", type=Path, default=Path("../../../../shared"), help="folder with models/, distill/ and photos/")
    p.add_argument("--work", type=Path, default=Path("work"), help="checkpoints and the log")
    p.add_argument("--start", type=Path, help="weights to start from when the work folder has no checkpoint")
    p.add_argument("--steps", type=int, default=4000, help="optimiser steps in all")
    p.add_argument("--decay", type=int, default=1000, help="steps of linear decay to zero at the end")
    p.add_argument("--minutes", type=float, default=1e6, help="end after this time instead, where that comes first")
    p.add_argument("--decay-minutes", type=float, default=30, help="length of the decay by the clock")
    p.add_argument("--stage", choices=("forced", "trunk", "chain"), default="chain",
                   help="forced: every block sees the teacher's states; trunk: the trunk alone; chain: all, one after the other")
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--muon", type=float, default=4e-3, help="learning rate of the weight matrices")
    p.add_argument("--weight-decay", type=float, default=0.02)
    p.add_argument("--ema", type=float, default=0.998)
    p.add_argument("--round", type=int, default=1536, help="teacher views made at a time")
    p.add_argument("--ring", type=int, default=24576, help="teacher views kept in memory")
    p.add_argument("--reuse", type=float, default=2, help="student samples per teacher view")
    p.add_argument("--kl", type=float, default=1.0, help="weight of the divergence through the teacher's classifier")
    p.add_argument("--final", type=float, default=2.0, help="weight of the finished class token and patches")
    p.add_argument("--workers", type=int, default=1, help="processes that share batch, views and images (one a core; one for a GPU)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--limit", type=int, help="images per file, for a quick trial")
    p.add_argument("--judge-every", type=float, default=12, help="minutes between looks at the judging photographs")
    return p.parse_args()


class Ring:
    """The newest teacher views: pixels (uint8) and pooled hidden states (f16)."""

    def __init__(self, capacity):
        self.capacity, self.next, self.filled = capacity, 0, 0
        self.views = self.states = None

    def add(self, views, states):
        if self.views is None:
            self.views = torch.empty((self.capacity, *views.shape[1:]), dtype=torch.uint8)
            self.states = torch.empty((self.capacity, *states.shape[1:]), dtype=torch.float16)
        at = (torch.arange(len(views)) + self.next) % self.capacity
        self.views[at], self.states[at] = views, states.half()
        self.next = (self.next + len(views)) % self.capacity
        self.filled = min(self.filled + len(views), self.capacity)


def losses(student, teacher, scale, pixels, states, args, stage="chain"):
    """The training loss, and as tensors the unexplained shares of variance by depth (class token, patches) and of the end."""
    target = scale(states)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    with torch.autocast(pixels.device.type, torch.bfloat16):
        if stage == "trunk":
            cls, patch = scale.error(student.trunk(pixels), target[:, 0], 0)
            return cls + patch, {"cls": cls, "patch": patch}
        found = student.forced(pixels, target.unbind(1)) if stage == "forced" else student.states(pixels)
        finished = student.finish(found[-1]).float()
    errors = [scale.error(h, target[:len(h), d], d) for d, h in enumerate(found)]
    loss = sum(c + p for c, p in errors[:-1]) / len(errors[:-1])  # the last depth is judged by what `finish` makes of it
    normed, logits = teacher.finish(states[:len(finished), -1].float())
    spread = normed.var((0, 1)).mean()
    final = ((finished[:, 0] - normed[:, 0]) ** 2).mean() / spread + 0.5 * ((finished[:, 1:] - normed[:, 1:]) ** 2).mean() / spread
    kl = F.kl_div(teacher.head(finished[:, 0]).log_softmax(-1), logits.softmax(-1), reduction="batchmean")
    cls, patch = (torch.stack(e).detach() for e in zip(*errors))
    cosine = F.cosine_similarity(finished[:, 0], normed[:, 0]).mean()
    return loss + args.final * final + args.kl * kl, {"cls": cls, "patch": patch, "final": final, "kl": kl, "cos": cosine}


def rounded(report):
    """A report's tensors as numbers for the log."""
    places = lambda v: [places(x) for x in v] if isinstance(v, list) else round(v, 3)
    return {k: places(v.detach().tolist()) for k, v in report.items()}


def judge(student, photos):
    """Few-shot accuracy in percent on the judging photographs: a look, never a gradient."""
    result = {}
    for name, (pixels, y, shots) in photos.items():
        device = next(student.parameters()).device
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
            taps = torch.cat([student(normalise(part.to(device))).float().cpu() for part in pixels.split(100)])
        for kind, x in (("taps", taps), ("first", taps[:, :1])):
            found = few_shot(unit_taps(x.numpy()), y, shots)
            result[f"{name} {shots}-shot {kind}"] = {k: round(100 * v, 1) for k, v in found.items()}
    return result


def optimisers(student, args):
    matrices = [p for n, p in student.named_parameters() if p.ndim == 2]
    others = [p for n, p in student.named_parameters() if p.ndim != 2]
    muon = torch.optim.Muon(matrices, lr=args.muon, weight_decay=args.weight_decay, adjust_lr_fn="match_rms_adamw")
    return [(muon, args.muon), (torch.optim.AdamW(others, lr=args.lr, weight_decay=0, betas=(0.9, 0.98)), args.lr)]


def together(student, stop, rate, workers):
    """Averages gradients and learning rate over all workers, and tells whether any of them was asked to stop."""
    if workers == 1:
        return stop, rate
    grads = [p.grad for p in student.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads] + [torch.tensor([float(stop), rate])])
    dist.all_reduce(flat)
    for g, part in zip(grads, flat[:-2].split([g.numel() for g in grads])):
        g.copy_(part.view_as(g) / workers)
    return flat[-2].item() > 0, flat[-1].item() / workers


def run(rank, args):
    workers, first, deadline = args.workers, rank == 0, time.time() + 60 * args.minutes
    if workers > 1:
        torch.set_num_threads(max(1, os.cpu_count() // workers))
        dist.init_process_group("gloo", init_method=f"file://{args.work.resolve()}/rendezvous", rank=rank, world_size=workers)
    log = open(args.work / "log.jsonl", "a", buffering=1) if first else None
    say = lambda **row: first and log.write(json.dumps({"at": time.strftime("%H:%M:%S"), **row}) + "\n")
    if first:
        (args.work / "pid").write_text(str(os.getpid()))
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    train_places, held_places = hold_out(list_images(args.shared / "distill", args.limit), 512)
    images, held = load_images(train_places[rank::workers]), load_images(held_places)
    teacher = Teacher(args.shared / "models/deit_tiny_patch16_224.onnx").to(device)
    student = Student().to(device, memory_format=torch.channels_last)
    average, scale = deepcopy(student).requires_grad_(False), Scale().to(device)
    optimiser = optimisers(student, args)
    photos = {}
    for name, shots in first * (("caltech101", 5), ("clothing", 20)):
        pictures, y, _ = read_photos(args.shared / "photos" / name)
        photos[name] = (torch.from_numpy(np.stack([prepare(i, SIZE, SIZE) for i in pictures])), y, shots)

    def look(picks, pool, seed, depth=DEPTH):
        views = torch.from_numpy(random_views(pool, picks, SIZE, seed))
        return views, torch.cat([teacher_states(teacher, normalise(part.to(device)), depth).half().cpu() for part in views.split(64)])

    step, rounds, samples, path = 0, 0, 0, args.work / "checkpoint.pt"
    if first or not (path.exists() or args.start):
        held_views, held_states = look(np.arange(len(held)), held, 12345)
    if path.exists():
        saved = torch.load(path, map_location=device)
        student.load_state_dict(saved["student"]), average.load_state_dict(saved["average"]), scale.load_state_dict(saved["scale"])
        for (o, _), state in zip(optimiser, saved["optimisers"]):
            o.load_state_dict(state)
        step, rounds, samples = saved["step"], saved["rounds"], saved["samples"]
    elif args.start:
        saved = torch.load(args.start, map_location=device)
        student.load_state_dict(saved["average"]), average.load_state_dict(saved["average"]), scale.load_state_dict(saved["scale"])
        step, samples = saved["step"], saved["samples"]
    else:
        scale.measure(held_states.to(device))
        for model in (student, average):
            model.trunk.pos.data.copy_(scale(held_states[:, :1].to(device)).mean(0))
    say(event="start", step=step, images=len(train_places), args={k: str(v) for k, v in vars(args).items()})

    def save():
        state = {"student": student.state_dict(), "average": average.state_dict(), "scale": scale.state_dict(),
                 "optimisers": [o.state_dict() for o, _ in optimiser], "step": step, "rounds": rounds, "samples": samples}
        torch.save(state, str(path) + ".part")
        os.replace(str(path) + ".part", path)

    stopping, stop = [], False
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    begin, batch, fresh = step, args.batch // workers, args.round // workers
    ring, rng, pending = Ring(args.ring // workers), np.random.default_rng([args.seed, step, rank]), 0.0
    saved_at = judged_at = time.time()
    while step < args.steps and not stop:
        began = time.time()
        picks = np.random.default_rng([args.seed, 1, step, rank]).permutation(len(images))[:fresh]
        ring.add(*look(picks, images, [args.seed, 2, step, rank], FIRST if args.stage == "trunk" else DEPTH))
        rounds, teaching = rounds + 1, time.time() - began
        pending += args.round * args.reuse / args.batch
        student.train()
        began, ran = time.time(), 0
        while pending >= 1 and step < args.steps and not stop:
            rows = torch.from_numpy(rng.choice(ring.filled, batch, replace=False))
            loss, report = losses(student, teacher, scale, normalise(ring.views[rows].to(device)), ring.states[rows].to(device), args, args.stage)
            loss.backward()
            left = deadline - time.time()
            rate = min(1, (step - begin + 1) / 50) * max(0, min(1, (args.steps - step) / max(args.decay, 1), left / 60 / args.decay_minutes))
            stop, rate = together(student, bool(stopping) or left < 0, rate, workers)
            for o, lr in optimiser:
                for group in o.param_groups:
                    group["lr"] = lr * rate
                o.step()
                o.zero_grad(set_to_none=True)
            step, samples, pending, ran = step + 1, samples + args.batch, pending - 1, ran + 1
            keep = min(args.ema, (1 + step) / (10 + step))
            with torch.no_grad():
                for a, b in zip(average.state_dict().values(), student.state_dict().values()):
                    a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)
        say(step=step, samples=samples, views=rounds * args.round, loss=round(loss.item(), 4), **rounded(report),
            rate=round(rate, 3), teacher_per_s=round(args.round / teaching), student_per_s=round(ran * args.batch / (time.time() - began)))
        done = step >= args.steps or stop
        if first and (time.time() - saved_at > 240 or done):
            save()
            saved_at = time.time()
        if first and (time.time() - judged_at > args.judge_every * 60 or done):
            average.eval()
            with torch.no_grad():
                report = losses(average, teacher, scale, normalise(held_views.to(device)), held_states.to(device), args)[1]
            say(event="judge", step=step, samples=samples, held_out=rounded(report), **judge(average, photos))
            judged_at = time.time()


def main():
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    (args.work / "rendezvous").unlink(missing_ok=True)
    if args.workers == 1:
        run(0, args)
    else:
        torch.multiprocessing.spawn(run, (args,), args.workers)


if __name__ == "__main__":
    main()
