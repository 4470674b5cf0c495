/** The built `imprint` as a process of its own, and folders of pictures to give it. */

import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { seededRandom } from '../../embeddings.ts';

const ROOT = join(import.meta.dirname, '../../..');
export const MAIN = join(ROOT, 'packages/cli/bin/imprint.mjs');
/** What `npx imprint` runs in this repository. */
export const LINKED = join(ROOT, 'node_modules/.bin/imprint');
/** A real Vision Transformer of 32 KB: what it sees is crude, how it is used is not. */
export const TINY = join(ROOT, 'test/fixtures/tiny-backbone');

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `imprint ...args`, its output in pipes. */
export async function imprint(args: readonly string[], environment: Record<string, string> = {}): Promise<Finished> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...environment } });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => (text[name] += chunk));
  }
  child.stdin.end();
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { status, ...text };
}

/** The one JSON object that a verb printed. Fails where it printed anything else. */
export function jsonOf<T = Record<string, unknown>>({ stdout }: Finished): T {
  return JSON.parse(stdout) as T;
}

/** The JSON lines that a verb printed. */
export function jsonLines<T = Record<string, unknown>>({ stdout }: Finished): T[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

/** A picture of 64 x 64 pixels: stripes in a colour and direction of its `kind`, shifted and shaded by `example`. */
export function picture(kind: number, example: number): Promise<Buffer> {
  const size = 64;
  const random = seededRandom(1000 * kind + example + 1);
  const ofKind = seededRandom(kind + 1);
  const [red, green, blue] = [ofKind(), ofKind(), ofKind()].map((value) => 60 + 180 * value);
  const angle = Math.PI * ofKind();
  const [phase, light] = [2 * Math.PI * random(), 0.8 + 0.2 * random()];
  const pixels = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const wave = Math.sin((x * Math.cos(angle) + y * Math.sin(angle)) / (3 + kind) + phase);
      const shade = light * (0.6 + 0.4 * wave) + 0.05 * random();
      pixels.set([red * shade, green * shade, blue * shade], (y * size + x) * 3);
    }
  }
  return sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
    .png()
    .toBuffer();
}

/** Writes `count` pictures of `kind` as FOLDER/0.png, 1.png, ..., numbered from `first`. */
export async function writePictures(folder: string, kind: number, count: number, first = 0): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (let example = first; example < first + count; example++) {
    const path = join(folder, `${example}.png`);
    await mkdir(dirname(path), { recursive: true });
    await sharp(await picture(kind, example)).toFile(path);
    paths.push(path);
  }
  return paths;
}
