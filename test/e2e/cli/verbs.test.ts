/** Every verb of `imprint` on a folder of pictures, as a person or a script would call it. */

import { createHash } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterEmbedding } from '../../embeddings.ts';
import { imprint, jsonLines, jsonOf, TINY, writePictures } from './imprint-process.ts';

const NAMES = ['brick', 'fern', 'sand'];
const PER_CLASS = 6;
let folder: string;
let model: string;

interface Answer {
  readonly file: string;
  readonly label: string | null;
  readonly known: boolean;
  readonly confidence: number;
  readonly novelty: number;
  readonly top: readonly { readonly label: string; readonly probability: number }[];
  readonly nearest: readonly {
    readonly id: string;
    readonly label: string;
    readonly similarity: number;
    readonly source: string;
  }[];
}

/** How many of the 12 test pictures, four a class in order, have their class on top. */
function countRight(answers: readonly Answer[]): number {
  return answers.filter(({ top }, i) => top[0].label === NAMES[Math.floor(i / 4)]).length;
}

/** A copy of the model that a test may change. */
async function copy(name: string): Promise<string> {
  const path = join(folder, name);
  await cp(model, path);
  return path;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-verbs-'));
  for (const [kind, name] of NAMES.entries()) {
    await writePictures(join(folder, 'train', name), kind, PER_CLASS);
    await writePictures(join(folder, 'test', name), kind, 4, 100);
  }
  await writePictures(join(folder, 'owl'), 7, 4);
  await writePictures(join(folder, 'strangers', 'deep', 'down'), 8, 4);
  model = join(folder, 'model.imprint');
  const learned = await imprint(['learn', join(folder, 'train'), '--out', model, '--backbone', TINY]);
  expect(learned, learned.stderr).toMatchObject({ status: 0, stderr: '' });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('learn', () => {
  it('prints a line a class and one sentence, and nothing on standard error in a pipe', async () => {
    const out = join(folder, 'learned.imprint');
    const { status, stdout, stderr } = await imprint([
      'learn',
      join(folder, 'train'),
      '--out',
      out,
      '--backbone',
      TINY,
    ]);
    expect(status).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toMatch(
      /^ {2}brick {2}6 examples\n {2}fern {3}6 examples\n {2}sand {3}6 examples\nLearned 3 classes from 18 images /,
    );
    expect(stdout).toContain(`Saved ${out}`);
    expect(stdout).not.toContain('\u001b');
    expect(await readFile(out)).toEqual(await readFile(model));
  });

  it('prints one JSON object with --json', async () => {
    const out = join(folder, 'json.imprint');
    const finished = await imprint(['learn', join(folder, 'train'), '--json', '--out', out, '--backbone', TINY]);
    expect(finished.stderr).toBe('');
    const json = jsonOf<{ classes: object[]; hash: string; sizeBytes: number }>(finished);
    expect(json).toMatchObject({ file: out, backbone: 'tiny-backbone', examples: 18, leftOut: [] });
    expect(json.classes).toEqual(NAMES.map((label) => ({ label, added: PER_CLASS, duplicates: 0 })));
    const bytes = await readFile(out);
    expect(json.sizeBytes).toBe(bytes.length);
    expect(json.hash).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  it('learns from the embedded backbone when none is named, and the file finds it again', async () => {
    const out = join(folder, 'embedded.imprint');
    const learned = await imprint(['learn', join(folder, 'train'), '--out', out, '--json']);
    expect(learned, learned.stderr).toMatchObject({ status: 0 });
    expect(jsonOf(learned)).toMatchObject({ backbone: 'imprint-tiny', examples: 18 });
    const lines = jsonLines<Answer>(await imprint(['classify', out, join(folder, 'test'), '--json']));
    expect(countRight(lines)).toBeGreaterThanOrEqual(10);
  });

  it('replaces an Imprint file and refuses any other', async () => {
    const replaced = await copy('replaced.imprint');
    const args = ['learn', join(folder, 'owl', '..', 'strangers'), '--backbone', TINY, '--out'];
    await writePictures(join(folder, 'strangers', 'deep'), 8, 2);
    expect(await imprint([...args, replaced])).toMatchObject({ status: 0 });
    expect(await readFile(replaced)).not.toEqual(await readFile(model));

    const letter = join(folder, 'letter.txt');
    await writeFile(letter, 'dear reader');
    const refused = await imprint([...args, letter]);
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^imprint: Expected nothing or an Imprint classifier at .*letter\.txt.*\n$/);
    expect(await readFile(letter, 'utf8')).toBe('dear reader');
  });

  it('remembers --head and --unknown-below in the file', async () => {
    const out = join(folder, 'options.imprint');
    const options = ['--head', 'nearest-class-mean', '--unknown-below', '0.2'];
    await imprint(['learn', join(folder, 'train'), '--out', out, '--backbone', TINY, ...options]);
    expect(jsonOf(await imprint(['info', out, '--json']))).toMatchObject({
      options: { head: 'nearest-class-mean', unknownBelow: 0.2 },
      head: { head: 'nearest-class-mean' },
    });
  });
});

describe('classify', () => {
  it('prints one JSON object a line, with exactly the fields that the help names', async () => {
    const finished = await imprint([
      'classify',
      model,
      join(folder, 'test'),
      '--backbone',
      TINY,
      '--json',
      '--top',
      '2',
    ]);
    expect(finished).toMatchObject({ status: 0, stderr: '' });
    const lines = jsonLines<Answer>(finished);
    expect(lines).toHaveLength(12);
    for (const [i, line] of lines.entries()) {
      expect(Object.keys(line)).toEqual(['file', 'label', 'known', 'confidence', 'novelty', 'top', 'nearest']);
      expect(line.file).toBe(join(folder, 'test', NAMES[Math.floor(i / 4)], `${100 + (i % 4)}.png`));
      expect(line.top).toHaveLength(2);
      expect(line.top[0].probability).toBe(line.confidence);
      expect(line.top[0].probability).toBeGreaterThanOrEqual(line.top[1].probability);
      expect(line.label).toBe(line.known ? line.top[0].label : null);
      expect(line.novelty).toBeGreaterThan(0);
      expect(line.novelty).toBeLessThanOrEqual(1);
      expect(line.nearest).toHaveLength(3);
      expect(line.nearest[0].id).toMatch(/^[0-9a-f]{16}$/);
      expect(line.nearest[0].source).toMatch(/^\d\.png$/);
    }
    // Stripes of one colour and direction a class: also 32 KB of a transformer tell them apart, mostly.
    expect(countRight(lines)).toBeGreaterThanOrEqual(9);
  });

  it('prints an aligned table for people', async () => {
    const photos = ['0.png', '1.png'].map((name) => join(folder, 'train', 'fern', name));
    const { status, stdout, stderr } = await imprint(['classify', model, ...photos, '--backbone', TINY]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    const column = lines[0].indexOf('label');
    expect(column).toBeGreaterThan(0);
    for (const line of lines.slice(1)) expect(line.slice(column)).toMatch(/^(fern|unknown|brick|sand) /);
  });

  it('says the same twice, and leaves the file alone', async () => {
    const before = await readFile(model);
    const args = ['classify', model, join(folder, 'owl'), '--backbone', TINY, '--json'];
    const [first, second] = [await imprint(args), await imprint(args)];
    expect(first.stdout).toBe(second.stdout);
    expect(await readFile(model)).toEqual(before);
  });
});

describe('add, remove, rename', () => {
  it('adds a class, then examples to it, and counts what is there already', async () => {
    const file = await copy('grown.imprint');
    const [one, two, three] = await readdir(join(folder, 'owl'));
    const path = (name: string): string => join(folder, 'owl', name);
    const add = (...images: string[]): Promise<Record<string, unknown>> =>
      imprint(['add', file, 'owl', ...images, '--backbone', TINY, '--json']).then((finished) => jsonOf(finished));
    expect(await add(path(one), path(two))).toMatchObject({
      label: 'owl',
      isNew: true,
      added: 2,
      duplicates: 0,
      total: 2,
    });
    expect(await add(path(two), path(three), path(three))).toMatchObject({
      isNew: false,
      added: 1,
      duplicates: 2,
      total: 3,
    });
    expect(await add(join(folder, 'owl'))).toMatchObject({ added: 1, duplicates: 3, total: 4 });
    expect(jsonOf<{ classes: object[] }>(await imprint(['info', file, '--json'])).classes).toContainEqual({
      label: 'owl',
      count: 4,
    });
  });

  it('removes and renames without the backbone at hand, and says what is not there', async () => {
    const file = await copy('changed.imprint');
    expect(await imprint(['remove', file, 'sand'])).toMatchObject({
      status: 0,
      stdout: 'sand: removed with its 6 examples (2 classes left).\n',
    });
    expect(await imprint(['rename', file, 'fern', 'bracken'])).toMatchObject({
      status: 0,
      stdout: 'fern is now bracken.\n',
    });
    expect(jsonOf(await imprint(['info', file, '--json']))).toMatchObject({
      classes: [
        { label: 'bracken', count: 6 },
        { label: 'brick', count: 6 },
      ],
    });
    const before = await readFile(file);
    for (const args of [
      ['remove', file, 'sand'],
      ['rename', file, 'sand', 'dune'],
      ['rename', file, 'brick', 'bracken'],
    ]) {
      const failed = await imprint(args);
      expect(failed).toMatchObject({ status: 1, stdout: '' });
      expect(failed.stderr).toMatch(/^imprint: Expected .*\n$/);
    }
    expect(await readFile(file)).toEqual(before);
  });
});

describe('info, eval, merge', () => {
  it('tells what a file holds', async () => {
    const json = jsonOf(await imprint(['info', model, '--json']));
    expect(json).toMatchObject({
      file: model,
      sizeBytes: (await stat(model)).size,
      formatVersion: 1,
      examples: 18,
      classes: NAMES.map((label) => ({ label, count: PER_CLASS })),
      options: { head: 'auto', unknownBelow: 0.03 },
      backbone: { name: 'tiny-backbone' },
    });
    expect(json['head']).toMatchObject({ reason: expect.stringMatching(/.+/) as string });
    const { stdout } = await imprint(['info', model]);
    expect(stdout).toContain('brick  6');
    expect(stdout).toContain(json['hash']);
  });

  it('measures with labelled photos and strangers, as fractions in JSON', async () => {
    const args = ['eval', model, join(folder, 'test'), '--unknown', join(folder, 'strangers'), '--backbone', TINY];
    const finished = await imprint([...args, '--json']);
    expect(finished).toMatchObject({ status: 0, stderr: '' });
    const json = jsonOf<{
      accuracy: number;
      balancedAccuracy: number;
      expectedCalibrationError: number;
      confusion: number[][];
      perClass: { label: string; examples: number; recall: number }[];
      unknown: { auroc: number; fpr95: number; examples: number };
    }>(finished);
    expect(json.confusion.flat().reduce((sum, count) => sum + count)).toBe(12);
    const diagonal = json.confusion.reduce((sum, row, i) => sum + row[i], 0);
    expect(json.accuracy).toBe(diagonal / 12);
    expect(json.balancedAccuracy).toBeCloseTo(json.perClass.reduce((sum, { recall }) => sum + recall, 0) / 3, 12);
    expect(json.perClass.map(({ label, examples }) => [label, examples])).toEqual(NAMES.map((name) => [name, 4]));
    expect(json.expectedCalibrationError).toBeLessThanOrEqual(1);
    expect(json.unknown.examples).toBeGreaterThanOrEqual(4);
    for (const rate of [json.unknown.auroc, json.unknown.fpr95]) expect(rate >= 0 && rate <= 1).toBe(true);

    const { stdout } = await imprint(args);
    expect(stdout).toContain(`${diagonal} of 12 right`);
    expect(stdout).toMatch(/Unknown AUROC/);
  });

  it('refuses strangers that are in no folder, before anything is measured', async () => {
    // The model file would be refused as well, if it were opened.
    const args = ['eval', join(folder, 'missing.imprint'), join(folder, 'test'), '--unknown'];
    for (const [path, found] of [
      [join(folder, 'nowhere'), 'nothing'],
      [join(folder, 'owl', '0.png'), 'a file'],
    ]) {
      const stderr = `imprint: Expected a folder at ${path}, got ${found}. Check the path.\n`;
      expect(await imprint([...args, path])).toEqual({ status: 1, stdout: '', stderr });
    }
  });

  it('refuses to measure a class that was not learned', async () => {
    const { status, stderr } = await imprint([
      'eval',
      model,
      join(folder, 'strangers', 'deep', '..'),
      '--backbone',
      TINY,
    ]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/Expected folders named like classes of .*"deep".*--unknown/);
  });

  it('merges files of one backbone and refuses those of two', async () => {
    const owls = join(folder, 'owls.imprint');
    await imprint(['learn', join(folder, 'strangers'), '--out', owls, '--backbone', TINY]);
    const all = join(folder, 'all.imprint');
    expect(jsonOf(await imprint(['merge', all, model, owls, '--json']))).toMatchObject({ file: all, classes: 4 });

    const other = join(folder, 'other.imprint');
    await imprint(['learn', join(folder, 'train'), '--out', other]);
    const refused = await imprint(['merge', all, model, other]);
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toMatch(/Expected files from one backbone, got .*tiny-backbone.*imprint-tiny/);
  });
});

describe('info of a head that gives no answers', () => {
  it('lists the classes all the same, and says why', async () => {
    const path = join(folder, 'covariance.imprint');
    const learn = ['learn', join(folder, 'train'), '--backbone', TINY, '--head', 'class-covariance', '--out', path];
    expect(await imprint(learn)).toMatchObject({ status: 0 });
    const { status, stdout } = await imprint(['info', path]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/class-covariance, which gives no answers\n.*Expected at least \d+ examples of every class/);
    for (const name of NAMES) expect(stdout).toContain(name);
    const json = jsonOf(await imprint(['info', path, '--json']));
    expect(json).toMatchObject({ head: null, headError: expect.stringMatching(/^Expected at least/) as string });
  });
});

describe('rename --join', () => {
  it.each([[], ['--join']])('leaves a class whose new label is its own as it is (%j)', async (...options) => {
    const path = await copy('own-label.imprint');
    const stdout = 'fern is now fern.\n';
    expect(await imprint(['rename', path, 'fern', 'fern', ...options])).toEqual({ status: 0, stdout, stderr: '' });
    expect(await readFile(path)).toEqual(await readFile(model));
  });

  it('makes one class of two, and is offered where the new label is a class already', async () => {
    const path = await copy('joined.imprint');
    const refused = await imprint(['rename', path, 'fern', 'sand']);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/which is a class already\. To join the two add --join\.\n$/);
    expect(await imprint(['rename', path, 'fern', 'sand', '--join'])).toMatchObject({ status: 0, stderr: '' });
    const { classes } = jsonOf<{ classes: object[] }>(await imprint(['info', path, '--json']));
    expect(classes).toEqual([
      { label: 'brick', count: PER_CLASS },
      { label: 'sand', count: 2 * PER_CLASS },
    ]);
  });
});

describe('sums only', () => {
  it('name the file that no class can be taken out of, and refuse a head that needs examples before any photo', async () => {
    const path = join(folder, 'sums.imprint');
    const learn = ['learn', join(folder, 'train'), '--backbone', TINY, '--memory', 'statistics', '--out', path];
    const head = await imprint([...learn, '--head', 'discriminant-ledoit-wolf']);
    expect(head.status).toBe(2);
    expect(head.stderr).toMatch(/Expected one of auto, .* with memory "statistics" for head, got/);
    expect(head.stderr).not.toMatch(/one of [^"]*ledoit/);
    expect(await readdir(folder)).not.toContain('sums.imprint');
    expect(await imprint(learn)).toMatchObject({ status: 0 });
    const removed = await imprint(['remove', path, 'fern']);
    expect(removed.status).toBe(1);
    expect(removed.stderr).toMatch(
      /^imprint: Expected a classifier that keeps its examples, got .*sums\.imprint, .* Learn it again/,
    );
  });
});

describe('eval --html', () => {
  it('writes one page that loads nothing, and says in one sentence where it could not', async () => {
    const page = join(folder, 'report.html');
    const args = ['eval', model, join(folder, 'test'), '--backbone', TINY, '--html'];
    const { status, stdout } = await imprint([...args, page]);
    expect(status).toBe(0);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(`Report: ${page}`);
    const html = await readFile(page, 'utf8');
    expect(html).toMatch(/^<!doctype html>/);
    for (const name of NAMES) expect(html).toContain(name);
    expect(html).not.toMatch(/<script|src=|@import|href="http/);
    const precious = await copy('precious.imprint');
    const taken = await imprint([...args, precious]);
    expect(taken).toMatchObject({ status: 1, stdout: '' });
    expect(taken.stderr).toMatch(
      /^imprint: Expected nothing or an earlier report at .*precious\.imprint, got another file/,
    );
    expect(await readFile(precious)).toEqual(await readFile(model));
    expect(await imprint([...args, page])).toMatchObject({ status: 0 });
    const failed = await imprint([...args, join(folder, 'no', 'where.html')]);
    expect(failed).toMatchObject({ status: 1, stdout: '' });
    expect(failed.stderr).toMatch(/^imprint: Expected to write the report to [^\n]*\n$/);
  });
});

describe('a classifier that keeps sums only (--memory statistics)', () => {
  it('is learned, grown, asked and merged, and refuses what needs single examples', async () => {
    const out = join(folder, 'sums.imprint');
    const learned = await imprint([
      'learn',
      join(folder, 'train'),
      '--out',
      out,
      '--backbone',
      TINY,
      '--memory',
      'statistics',
    ]);
    expect(learned, learned.stderr).toMatchObject({ status: 0 });
    const added = await imprint(['add', out, 'owl', join(folder, 'owl'), '--backbone', TINY, '--json']);
    expect(jsonOf(added)).toMatchObject({ isNew: true, added: 4, total: 4 });
    expect(jsonOf(await imprint(['info', out, '--json']))).toMatchObject({ memory: 'statistics', examples: 22 });
    const answers = jsonLines<Answer>(
      await imprint(['classify', out, join(folder, 'test'), '--backbone', TINY, '--json']),
    );
    expect(answers).toHaveLength(12);
    for (const { nearest } of answers) expect(nearest).toEqual([]);
    const before = await readFile(out);
    const refused = await imprint(['remove', out, 'owl']);
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toMatch(/keeps sums only/);
    const mixed = await imprint(['merge', join(folder, 'mixed.imprint'), out, model]);
    expect(mixed).toMatchObject({ status: 1, stdout: '' });
    expect(mixed.stderr).toMatch(/files of one memory mode, got \S+ \(statistics\) and \S+ \(examples\)/);
    expect(await readFile(out)).toEqual(before);
  });
});

describe('bench heads', () => {
  it('prints one object a split, auto first, accuracies as fractions', async () => {
    const [taps, dim, perClass] = [2, 8, 10];
    const rows = [0, 1, 2].flatMap((k) =>
      Array.from({ length: perClass }, (_, i) => clusterEmbedding(k, i, taps * dim, 0.3)),
    );
    const features = join(folder, 'f.json');
    const labels = rows.map((_, row) => Math.floor(row / perClass));
    await writeFile(features, JSON.stringify({ shape: [rows.length, taps, dim], labels, classNames: NAMES }));
    await writeFile(join(folder, 'f.f32.bin'), Buffer.concat(rows.map((row) => Buffer.from(row.buffer))));
    const of = (keep: (i: number) => boolean): number[] =>
      labels.map((_, row) => row).filter((row) => keep(row % perClass));
    const splits = [2, 5].map((shots) => ({ shots, seed: 3, train: of((i) => i < shots), test: of((i) => i >= 5) }));
    await writeFile(join(folder, 's.json'), JSON.stringify(splits));

    const args = ['bench', 'heads', '--features', features, '--splits', join(folder, 's.json')];
    const finished = await imprint([...args, '--json']);
    expect(finished, finished.stderr).toMatchObject({ status: 0, stderr: '' });
    const lines = jsonLines<{ shots: number; seed: number; heads: Record<string, number> }>(finished);
    expect(lines.map(({ shots, seed }) => [shots, seed])).toEqual([
      [2, 3],
      [5, 3],
    ]);
    for (const { heads } of lines) {
      expect(Object.keys(heads)[0]).toBe('auto');
      expect(heads['auto']).toBeGreaterThan(0.8);
      for (const accuracy of Object.values(heads)) expect(accuracy >= 0 && accuracy <= 1).toBe(true);
    }
    const table = await imprint([...args, '--heads', 'auto,ncm']);
    expect(table.stdout).toMatch(/^shots {2}seed {4}auto {5}ncm\n {4}2 {5}3 .*\n {4}5 {5}3 .*\n mean .*\n$/);
    expect(await imprint([...args, '--heads', 'auto,psychic'])).toMatchObject({ status: 2 });

    const none = join(folder, 'none.json');
    await writeFile(none, '[]');
    const empty = await imprint([...args.slice(0, -1), none]);
    expect(empty).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('at least one in') });

    await writeFile(join(folder, 'f.f32.bin'), Buffer.alloc(12));
    const short = await imprint([...args, '--json']);
    expect(short).toMatchObject({ status: 1, stdout: '' });
    expect(short.stderr).toMatch(/^imprint: Expected 30 x 2 x 8 float32 values \(1920 bytes, not 12\)[^\n]*\n$/);
  });
});

describe('doctor', () => {
  it('names versions, tries every device, and finds the embedded backbone', async () => {
    const json = jsonOf<{ devices: { device: string; state: string; reason?: string }[]; backbone: object }>(
      await imprint(['doctor', '--json']),
    );
    expect(json).toMatchObject({
      versions: { node: process.versions.node, runtime: `Node ${process.versions.node}`, imprint: '0.1.0' },
    });
    expect(json.backbone).toMatchObject({
      name: 'imprint-tiny',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    expect(json.devices.map(({ device }) => device).sort()).toEqual(['cpu', 'cuda', 'webgpu']);
    expect(json.devices.find(({ device }) => device === 'cpu')).toMatchObject({ state: 'taken' });
    for (const { state, reason } of json.devices) if (state !== 'taken') expect(reason).toMatch(/\w/);
  });

  it('exits 1 where the backbone cannot be read, and still tells the rest', async () => {
    const finished = await imprint(['doctor', '--backbone', join(folder, 'nowhere'), '--json']);
    expect(finished.status).toBe(1);
    expect(jsonOf(finished)).toMatchObject({
      chosenDevice: null,
      devices: [],
      versions: { node: process.versions.node },
    });
  });
});
