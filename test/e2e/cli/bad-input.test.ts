/** Pictures, labels and files that are not what they should be: each is named, nothing is lost, nothing hangs. */

import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeSnapshot, encodeSnapshot } from '@imprint/core';
import { imprint, jsonLines, jsonOf, TINY, writePictures } from './imprint-process.ts';

let folder: string;
let model: string;

const one = async (parts: readonly string[]): Promise<string> => {
  const path = join(folder, ...parts);
  await mkdir(path, { recursive: true });
  return path;
};

/** A PNG whose header says `width` x `height` and whose data is two pixels' worth. */
async function hugeHeader(width: number, height: number): Promise<Buffer> {
  const bytes = await sharp({ create: { width: 2, height: 1, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return bytes;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-bad-'));
  for (const [kind, name] of ['a', 'b'].entries()) await writePictures(join(folder, 'train', name), kind, 4);
  model = join(folder, 'model.imprint');
  expect(await imprint(['learn', join(folder, 'train'), '--out', model, '--backbone', TINY])).toMatchObject({
    status: 0,
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const learn = (directory: string, ...more: string[]): ReturnType<typeof imprint> =>
  imprint(['learn', directory, '--out', join(folder, 'out.imprint'), '--backbone', TINY, ...more]);

describe('folders', () => {
  it.each([
    ['an empty folder', ['empty'], /Expected pictures in .*, found none/],
    ['a folder of empty class folders', ['hollow', 'class'], /Expected pictures in .*, found none/],
  ])('states that %s holds nothing to learn', async (_what, parts, message) => {
    await one(parts);
    const { status, stdout, stderr } = await learn(join(folder, parts[0]));
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('states that a folder is missing, or a file', async () => {
    for (const path of ['missing', 'train/a/0.png']) {
      const { status, stderr } = await learn(join(folder, path));
      expect(status).toBe(1);
      expect(stderr).toMatch(/^imprint: Expected a folder at [^\n]*\n$/);
    }
  });

  it('learns a single class and says what such a classifier answers', async () => {
    await writePictures(join(folder, 'single', 'cat'), 3, 4);
    const { status, stdout } = await learn(join(folder, 'single'));
    expect(status).toBe(0);
    expect(stdout).toMatch(/one class answers whether a photo shows it or not/);
    const out = join(folder, 'out.imprint');
    const lines = jsonLines(await imprint(['classify', out, join(folder, 'train'), '--backbone', TINY, '--json']));
    expect(lines).toHaveLength(8);
    for (const line of lines) expect([null, 'cat']).toContain(line['label']);
  });
});

describe('pictures', () => {
  it('names, counts and skips every picture that cannot be read, and exits 3', async () => {
    const directory = join(folder, 'mixed');
    await writePictures(join(directory, 'good'), 4, 3);
    const bad = await one(['mixed', 'spoilt']);
    const [first] = await writePictures(bad, 5, 1);
    const jpeg = await sharp(await readFile(first))
      .resize(256)
      .jpeg()
      .toBuffer();
    await writeFile(join(bad, 'empty.jpg'), '');
    await writeFile(join(bad, 'text.jpg'), 'not a picture, whatever its name says');
    await writeFile(join(bad, 'truncated.png'), (await readFile(first)).subarray(0, 40));
    await writeFile(join(bad, 'huge.png'), await hugeHeader(60_000, 60_000));
    await sharp({ create: { width: 1, height: 1, channels: 3, background: 'blue' } }).toFile(join(bad, 'dot.png'));
    await sharp({ create: { width: 20_000, height: 3, channels: 3, background: 'blue' } }).toFile(
      join(bad, 'line.png'),
    );
    await writeFile(join(bad, 'renamed.png'), jpeg); // a JPEG called .png is a picture all the same
    await writeFile(join(bad, 'notes.txt'), 'no picture by its name');

    const finished = await learn(directory, '--json');
    expect(finished.status).toBe(3);
    const json = jsonOf<{ classes: { label: string; added: number }[]; leftOut: { file: string; error: string }[] }>(
      finished,
    );
    expect(json.leftOut.map(({ file }) => file).sort()).toEqual(
      ['empty.jpg', 'huge.png', 'text.jpg', 'truncated.png'].map((name) => join(bad, name)),
    );
    expect(json.classes.map(({ label, added }) => [label, added])).toEqual([
      ['good', 3],
      ['spoilt', 4],
    ]);
    const lines = finished.stderr.trimEnd().split('\n');
    expect(lines.filter((line) => line.startsWith('imprint: left out '))).toHaveLength(4);
    expect(lines.at(-1)).toBe('imprint: 4 files left out.');
    expect(finished.stderr).toMatch(/passed over .*notes\.txt \(not a picture by its name\)/);
    expect(finished.stderr).toMatch(/huge\.png: Expected .*60000 ?x ?60000/);
  });

  it('leaves out a class without a readable picture, and fails where no class has one', async () => {
    const directory = join(folder, 'barren');
    const bad = await one(['barren', 'z']);
    await writeFile(join(bad, '1.jpg'), 'no');
    await writeFile(join(bad, '2.jpg'), '');
    const failed = await learn(directory);
    expect(failed).toMatchObject({ status: 1, stdout: '' });
    expect(failed.stderr).toMatch(/^imprint: Expected at least one readable image, got 2 [^\n]*1\.jpg[^\n]*\n$/);

    await writePictures(join(directory, 'y'), 5, 2);
    const { status, stderr, stdout } = await learn(directory);
    expect(status).toBe(3);
    expect(stderr).toMatch(/left out .*1\.jpg[^\n]*\n[^\n]*left out .*2\.jpg/);
    expect(stdout).toMatch(/Learned 1 class /);
  });

  it('classifies what it can, exits 3 for the rest, and 1 where nothing is left', async () => {
    const missing = join(folder, 'missing.jpg');
    const good = join(folder, 'train', 'a', '0.png');
    const args = ['classify', model, '--backbone', TINY, '--json'];
    const mixed = await imprint([...args, missing, good]);
    expect(mixed.status).toBe(3);
    expect(jsonLines(mixed)).toHaveLength(1);
    expect(mixed.stderr).toMatch(/left out .*missing\.jpg/);
    expect(await imprint([...args, missing])).toMatchObject({ status: 1, stdout: '' });
  });

  it('counts the same picture twice as one', async () => {
    const directory = join(folder, 'twice');
    const [path] = await writePictures(join(directory, 'c'), 6, 2);
    await cp(path, join(directory, 'c', 'copy.png'));
    const finished = await learn(directory, '--json');
    expect(finished.status).toBe(0);
    expect(jsonOf(finished)['classes']).toEqual([{ label: 'c', added: 2, duplicates: 1 }]);
  });
});

describe('labels', () => {
  it('takes any folder name as a label, and says it as it is', async () => {
    const names = ['__proto__', 'constructor', 'toString', '🦉 owl', 'två ord', '"quoted"', 'Ω'];
    for (const [kind, name] of names.entries()) await writePictures(join(folder, 'names', name), kind, 2);
    const finished = await learn(join(folder, 'names'), '--json');
    expect(finished, finished.stderr).toMatchObject({ status: 0 });
    const labels = jsonOf<{ classes: { label: string }[] }>(finished).classes.map(({ label }) => label);
    expect(labels.sort()).toEqual([...names].sort());
    const out = join(folder, 'out.imprint');
    expect(
      jsonLines(await imprint(['classify', out, join(folder, 'train'), '--backbone', TINY, '--json'])),
    ).toHaveLength(8);
    expect(await imprint(['remove', out, '__proto__'])).toMatchObject({ status: 0 });
    expect(await imprint(['rename', out, 'constructor', 'hasOwnProperty'])).toMatchObject({ status: 0 });
    expect((await imprint(['info', out])).stdout).toMatch(/🦉 owl +2\n/);
  });

  it('takes composed and decomposed accents for one label, in folders and in arguments', async () => {
    const [composed, decomposed] = ['caf\u00e9', 'cafe\u0301'];
    await writePictures(join(folder, 'accents', composed), 1, 2);
    await writePictures(join(folder, 'accents', decomposed), 1, 2, 10);
    const finished = await learn(join(folder, 'accents'), '--json');
    expect(finished, finished.stderr).toMatchObject({ status: 0 });
    const examples = (await readdir(join(folder, 'accents'))).length === 2 ? 4 : 2; // some file systems compose names themselves
    expect(jsonOf(finished)['classes']).toEqual([{ label: composed, added: examples, duplicates: 0 }]);
    expect(await imprint(['remove', join(folder, 'out.imprint'), decomposed])).toMatchObject({ status: 0 });
  });

  it('refuses a class folder whose name shows nothing, by its path and before the first picture', async () => {
    const directory = join(folder, 'blank');
    await writePictures(join(directory, 'a'), 1, 2);
    for (const name of ['\u3164', ' ']) {
      const blank = join(directory, name);
      await writePictures(blank, 2, 1);
      const { status, stdout, stderr } = await learn(directory, '--backbone', join(folder, 'no-backbone-is-loaded'));
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      const shown = blank.replace('\u3164', '\\u{3164}');
      expect(stderr).toMatch(/^imprint: Expected a name with at least one visible character for every class folder, /);
      expect(stderr).toContain(`got "${shown}". Rename that folder, or move it away.\n`);
      await rm(blank, { recursive: true });
    }
  });

  it('refuses blank and endless labels, and never lets one speak to the terminal', async () => {
    const file = join(folder, 'labels.imprint');
    await cp(model, file);
    const before = await readFile(file);
    for (const label of ['', '   ', 'x'.repeat(10_000)]) {
      const { status, stderr } = await imprint(['rename', file, 'a', label]);
      expect(status).toBe(1);
      expect(stderr).toMatch(/^imprint: Expected a label [^\n]{1,200}\n$/);
    }
    expect(await readFile(file)).toEqual(before);
    const { stdout } = await imprint(['rename', file, 'a', 'red\u001b[31m\nherring']);
    expect(stdout).toBe('a is now red\\u{1b}[31m\\u{a}herring.\n');
    expect((await imprint(['info', file])).stdout).not.toContain('\u001b');
  });
});

describe('model files', () => {
  async function spoil(change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array): Promise<string> {
    const path = join(folder, 'spoilt.imprint');
    await writeFile(path, change(new Uint8Array(await readFile(model))));
    return path;
  }

  it.each([
    ['truncated', (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 100), /damaged/],
    ['empty', () => new Uint8Array(), /damaged/],
    ['something else', () => new TextEncoder().encode('{"hello": "world"}'), /not one or was damaged/],
    [
      'bit-flipped in its last code',
      (bytes: Uint8Array) => {
        bytes[bytes.length - 20] ^= 1;
        return bytes;
      },
      /damaged/,
    ],
    [
      'of version 999',
      (bytes: Uint8Array) => {
        // Room for the longer number: the header is padded with blanks.
        const text = Buffer.from(bytes).toString('latin1');
        const key = '"format_version":"1"';
        const start = text.indexOf(key);
        const header = Number(Buffer.from(bytes).readBigUInt64LE(0));
        const json = Buffer.from(
          text
            .slice(8, 8 + header)
            .replace(key, '"format_version":"999"')
            .trimEnd(),
          'latin1',
        );
        expect(start).toBeGreaterThan(0);
        const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
        json.copy(padded);
        const length = Buffer.alloc(8);
        length.writeBigUInt64LE(BigInt(padded.length));
        return Buffer.concat([length, padded, bytes.subarray(8 + header)]);
      },
      /version 999.*Update Imprint/,
    ],
  ])(
    'refuses a file that is %s, in one sentence and with every verb, and leaves it',
    async (_what, change, message) => {
      const path = await spoil(change);
      const before = await readFile(path);
      const photo = join(folder, 'train', 'a', '0.png');
      const calls = [
        ['info', path],
        ['classify', path, photo, '--backbone', TINY],
        ['add', path, 'a', photo, '--backbone', TINY],
        ['remove', path, 'a'],
        ['merge', join(folder, 'm.imprint'), model, path],
      ];
      for (const { status, stdout, stderr } of await Promise.all(calls.map((args) => imprint(args)))) {
        expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
        expect(stderr).toMatch(message);
        expect(stderr).toMatch(/^imprint: Expected [^\n]*\n$/);
      }
      expect(await readFile(path)).toEqual(before);
    },
  );

  it('refuses a file of another backbone, and says which one it wants', async () => {
    const photo = join(folder, 'train', 'a', '0.png');
    const other = await imprint(['classify', model, photo, '--backbone', 'imprint-tiny']);
    expect(other).toMatchObject({ status: 1, stdout: '' });
    expect(other.stderr).toMatch(/Expected the backbone "tiny-backbone".*got "imprint-tiny"/);
    const unnamed = await imprint(['classify', model, photo]);
    expect(unnamed).toMatchObject({ status: 1, stdout: '' });
    expect(unnamed.stderr).toMatch(/"tiny-backbone".*--backbone/);
  });

  it('loads no model from a path that a file names', async () => {
    const snapshot = decodeSnapshot(new Uint8Array(await readFile(model)));
    const path = join(folder, 'pointing.imprint');
    await writeFile(path, encodeSnapshot({ ...snapshot, identity: { ...snapshot.identity, name: TINY } }));
    const { status, stderr } = await imprint(['classify', path, join(folder, 'train')]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/found none of that name/);
  });

  it('refuses a folder as a file, and a file in a folder that is not there', async () => {
    const photos = join(folder, 'train');
    for (const [args, message] of [
      [['info', photos], /Expected a file at .*, got a folder/],
      [['learn', photos, '--out', photos, '--backbone', TINY], /got a folder/],
      [['learn', photos, '--out', join(folder, 'no', 'where', 'x'), '--backbone', TINY], /folder/],
      [['remove', join(folder, 'none.imprint'), 'a'], /found no file/],
    ] as const) {
      const { status, stdout, stderr } = await imprint(args);
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toMatch(message);
      expect(stderr).toMatch(/^imprint: [^\n]*\n$/);
    }
    expect(await readdir(folder)).not.toContain('no');
  });

  // Root may write anything.
  it.skipIf(process.getuid?.() === 0 || process.platform === 'win32')(
    'states that a place may not be written to (not as root)',
    async () => {
      const locked = await one(['locked']);
      await cp(model, join(locked, 'm.imprint'));
      await chmod(locked, 0o555);
      const { status, stderr } = await imprint(['remove', join(locked, 'm.imprint'), 'a']);
      expect(status).toBe(1);
      expect(stderr).toMatch(/^imprint: Expected to [^\n]*\n$/);
      expect(await readFile(join(locked, 'm.imprint'))).toEqual(await readFile(model));
      await chmod(locked, 0o755);
    },
  );
});
