/** Timing that can be trusted on a noisy machine: candidates take turns, and ratios are taken round by round. */

import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

/** One line of a table. `ratio` is ours / peer of times or bytes: below 1 is ahead. */
export interface Case {
  readonly table: string;
  readonly case: string;
  readonly ours: number;
  readonly peer: string;
  readonly peerValue: number;
  readonly unit: string;
  readonly ratio: number;
  /** What the machine (or the mathematics) allows, in the same unit. */
  readonly limit?: { readonly what: string; readonly value: number };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Work to time. One that returns a number has timed itself, in milliseconds: a peer with a clock of its own. */
export type Contender = () => Promise<number | void> | number | void;

/**
 * Runs every candidate once to warm up, then all of them in turn, `rounds` times.
 * @returns milliseconds by candidate and round
 */
export async function interleave(
  candidates: ReadonlyMap<string, Contender>,
  rounds: number,
  warmUps = 1,
): Promise<ReadonlyMap<string, number[]>> {
  const times = new Map([...candidates.keys()].map((name) => [name, [] as number[]]));
  for (let round = -warmUps; round < rounds; round++) {
    for (const [name, run] of candidates) {
      const start = performance.now();
      const own = await run();
      if (round >= 0) (times.get(name) as number[]).push(own ?? performance.now() - start);
    }
  }
  return times;
}

/** Ours beside one peer: medians, and the median of the round-by-round ratios. */
export function compare(
  table: string,
  name: string,
  ours: readonly number[],
  peer: string,
  peerValues: readonly number[],
  unit: string,
  scale = 1,
  limit?: Case['limit'],
): Case {
  return {
    table,
    case: name,
    ours: median(ours) * scale,
    peer,
    peerValue: median(peerValues) * scale,
    unit,
    ratio: median(ours.map((value, round) => value / peerValues[round])),
    ...(limit && { limit }),
  };
}

/** The longest time in milliseconds that the event loop did not turn while `action` ran. */
export async function longestGapMs(action: () => Promise<void>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  let running = true;
  const turn = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (running) setImmediate(turn);
  };
  setImmediate(turn);
  await action();
  running = false;
  return Math.max(longest, performance.now() - last);
}

/**
 * The most memory that this process had resident, in bytes. Linux's `maxRSS` starts at what the parent had when it forked, so
 * that a small child of a large process reads large: the program's own mark is in /proc.
 */
export function peakResidentBytes(): number {
  if (process.platform === 'linux') {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    if (kilobytes !== undefined) return Number(kilobytes) * 1024;
  }
  return process.resourceUsage().maxRSS * 1024;
}
