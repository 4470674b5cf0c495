/** Pipes, devices, endless files, closed folders, names that are not UTF-8: each is named, and nothing hangs. */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmod,
  chown,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imprint, jsonLines, jsonOf, MAIN, TINY, writePictures, type Finished } from './imprint-process.ts';

let folder: string;
let model: string;
let photo: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-odd-'));
  for (const [kind, name] of ['a', 'b'].entries()) await writePictures(join(folder, 'train', name), kind, 3);
  photo = join(folder, 'train', 'a', '0.png');
  model = join(folder, 'model.imprint');
  expect(await imprint(['learn', join(folder, 'train'), '--out', model, '--backbone', TINY])).toMatchObject({
    status: 0,
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A named pipe that nobody writes to: whoever opens it waits for ever. */
function pipe(...parts: string[]): string {
  const path = join(folder, ...parts);
  execFileSync('mkfifo', [path]);
  return path;
}

const classify = (...paths: string[]): Promise<Finished> =>
  imprint(['classify', model, ...paths, '--backbone', TINY, '--json']);

describe.skipIf(process.platform === 'win32')('pipes and devices', () => {
  it('leaves them out where they are named as pictures', async () => {
    const fifo = pipe('fifo.jpg');
    const zero = join(folder, 'zero.jpg');
    await symlink('/dev/zero', zero);
    const finished = await classify(fifo, zero, photo);
    expect(finished.status).toBe(3);
    expect(jsonLines(finished)).toHaveLength(1);
    expect(finished.stderr).toContain(`Expected a picture at ${fifo}, got a named pipe. Check the path.`);
    expect(finished.stderr).toContain(`Expected a picture at ${zero}, got a device. Check the path.`);
  });

  it('passes them over in folders, links to them too', async () => {
    const directory = join(folder, 'with-pipes');
    await writePictures(join(directory, 'a'), 0, 2);
    const fifo = pipe('with-pipes', 'a', 'x.png');
    await symlink(fifo, join(directory, 'a', 'y.png'));
    await symlink('/dev/zero', join(directory, 'a', 'z.png'));
    const learned = await imprint(['learn', directory, '--out', join(folder, 'o.imprint'), '--backbone', TINY]);
    expect(learned, learned.stderr).toMatchObject({ status: 0 });
    expect(learned.stderr).toContain(`passed over 3 files, the first ${fifo} (neither a file nor a folder)`);
    const answered = await classify(directory);
    expect(jsonLines(answered), answered.stderr).toHaveLength(2);
  });

  it('refuses them as classifiers, models and reports', async () => {
    const fifo = pipe('fifo.imprint');
    const onnx = pipe('fifo.onnx');
    for (const [args, message] of [
      [['info', fifo], `Expected a file at ${fifo}, got a named pipe.`],
      [['classify', model, photo, '--backbone', onnx], `Expected a file at ${onnx}, found a named pipe.`],
      [['learn', join(folder, 'train'), '--out', fifo, '--backbone', TINY], 'got a named pipe'],
      [
        ['eval', model, join(folder, 'train'), '--backbone', TINY, '--html', fifo],
        `Expected nothing or an earlier report at ${fifo}, got a pipe or device.`,
      ],
    ] as const) {
      const { status, stdout, stderr } = await imprint(args);
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toContain(message);
    }
  });
});

it('reads no file that is larger than any picture of so many pixels', async () => {
  const path = join(folder, 'sparse.jpg');
  const file = await open(path, 'w');
  await file.truncate(1.4e9);
  await file.close();
  const { status, stderr } = await classify(path);
  expect(status).toBe(1);
  expect(stderr).toContain('Expected at most 513.0 MB for ');
  expect(stderr).toContain(' got 1400.0 MB. Make it smaller');
  await rm(path);
});

describe('eval --html', () => {
  const evaluate = (...html: string[]): string[] => [
    'eval',
    model,
    join(folder, 'train'),
    '--backbone',
    TINY,
    '--html',
    ...html,
  ];

  it('replaces its own report, and no other page', async () => {
    const page = join(folder, 'mine.html');
    await writeFile(page, '<!doctype html>\n<title>My homepage</title>\n');
    const refused = await imprint(evaluate(page));
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toMatch(/Expected nothing or an earlier report at .*mine\.html, got another file/);
    expect(await readFile(page, 'utf8')).toContain('My homepage');
    const report = join(folder, 'own.html');
    expect(await imprint(evaluate(report))).toMatchObject({ status: 0 });
    expect(await imprint(evaluate(report))).toMatchObject({ status: 0 });
  });

  it.skipIf(process.platform === 'win32')('keeps the old report where the new one cannot be written', async () => {
    const places = join(folder, 'reports');
    await mkdir(places);
    const report = join(places, 'old.html');
    expect(await imprint(evaluate(report))).toMatchObject({ status: 0 });
    const before = await readFile(report);
    // A limit of 512 or 1,024 bytes: the page has more. The signal that comes with it is ignored.
    const limited = 'trap \'\' XFSZ; ulimit -f 1; exec "$0" "$@"';
    const args = ['-c', limited, process.execPath, MAIN, ...evaluate(report)];
    const { status, stderr } = spawnSync('sh', args, { encoding: 'utf8' });
    expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('file size limit') });
    expect(await readFile(report)).toEqual(before);
    expect(await readdir(places)).toEqual(['old.html']);
  });
});

/** Root may read everything, so root runs the command as nobody. */
const NOBODY = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
const asNobody = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', cwd: '/', ...NOBODY });
const mayBeNobody = process.platform !== 'win32' && asNobody('--version').status === 0;

describe.skipIf(!mayBeNobody)('folders that cannot be read (skipped where nobody cannot run the command)', () => {
  it('are named, left out and told by the status within the folder given, and refused as that folder', async () => {
    const home = join(folder, 'nobody');
    const closed = join(home, 'photos', 'closed');
    await mkdir(closed, { recursive: true });
    await copyFile(model, join(home, 'm.imprint'));
    for (const [kind, name] of ['a', 'b'].entries()) await writePictures(join(home, 'photos', name), kind, 2);
    await chmod(folder, 0o755);
    if (NOBODY.uid !== undefined) await chown(home, NOBODY.uid, NOBODY.gid);
    await chmod(closed, 0);
    try {
      const photos = join(home, 'photos');
      const error = `Expected a folder at ${closed}, got EACCES. Check its permissions.`;
      const named = `imprint: left out ${closed}: ${error}\nimprint: 1 folder left out.\n`;
      const found = asNobody('classify', model, photos, '--backbone', TINY, '--json');
      expect(found).toMatchObject({ status: 3, stderr: named });
      expect(jsonLines(found)).toHaveLength(4);
      const out = join(home, 'out.imprint');
      for (const args of [
        ['learn', photos, '--out', out],
        ['add', out, 'a', photos],
        ['eval', out, photos, '--unknown', photos],
      ]) {
        const finished = asNobody(...args, '--backbone', TINY, '--json');
        const times = args[0] === 'eval' ? 2 : 1;
        expect(finished).toMatchObject({
          status: 3,
          stderr: expect.stringContaining(`left out ${closed}: ${error}\n`),
        });
        expect(jsonOf(finished)['leftOut']).toEqual(Array(times).fill({ file: closed, error }));
      }
      expect(jsonOf<{ classes: object[] }>(await imprint(['info', out, '--json'])).classes).toMatchObject([
        { label: 'a', count: 4 },
        { label: 'b', count: 2 },
      ]);

      const refused = asNobody('classify', model, closed, '--backbone', TINY);
      expect(refused).toMatchObject({ status: 1, stdout: '' });
      expect(refused.stderr).toMatch(/^imprint: Expected a folder at [^\n]*closed, got EACCES\. [^\n]*\n$/);
    } finally {
      await chmod(closed, 0o755);
    }
  });
});

// Other systems keep no such names.
it.skipIf(process.platform !== 'linux')(
  'says of a picture whose name is not UTF-8 that it wants another name',
  async () => {
    const directory = join(folder, 'latin1');
    await mkdir(directory);
    await copyFile(photo, Buffer.concat([Buffer.from(`${directory}/caf`), Buffer.of(0xe9), Buffer.from('.png')]));
    const { status, stderr } = await classify(directory);
    expect(status).toBe(1);
    expect(stderr).toMatch(/left out .*latin1\/caf\ufffd\.png: .* got a name that is not UTF-8\. Rename the file\.\n/);
  },
);

it.skipIf(process.platform !== 'linux')(
  'says of a class folder whose name is not UTF-8 that it is left out, and wants another name',
  async () => {
    const directory = join(folder, 'latin1-class');
    await writePictures(join(directory, 'a'), 0, 2);
    const latin1 = Buffer.concat([Buffer.from(`${directory}/caf`), Buffer.of(0xe9)]);
    await mkdir(latin1);
    await copyFile(photo, Buffer.concat([latin1, Buffer.from('/0.png')]));
    const out = join(folder, 'latin1.imprint');
    const finished = await imprint(['learn', directory, '--out', out, '--backbone', TINY, '--json']);
    const file = join(directory, 'caf\ufffd');
    const error = `Expected a folder at ${file}, got a name that is not UTF-8. Rename the folder.`;
    expect(finished.stderr).toBe(`imprint: left out ${file}: ${error}\nimprint: 1 folder left out.\n`);
    expect(finished.status).toBe(3);
    expect(jsonOf(finished)).toMatchObject({ examples: 2, leftOut: [{ file, error }] });
  },
);
