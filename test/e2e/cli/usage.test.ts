/** How `imprint` behaves as a program: help, wrong usage, pipes that close, terminals, Ctrl-C typed on one. */

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imprint, LINKED, MAIN, TINY, writePictures } from './imprint-process.ts';

const VERBS = ['learn', 'classify', 'add', 'remove', 'rename', 'eval', 'info', 'merge', 'models', 'doctor', 'bench'];
let folder: string;
let model: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-usage-'));
  for (const [kind, name] of ['a', 'b'].entries()) await writePictures(join(folder, 'train', name), kind, 3);
  model = join(folder, 'model.imprint');
  expect(await imprint(['learn', join(folder, 'train'), '--out', model, '--backbone', TINY])).toMatchObject({
    status: 0,
  });
  for (let i = 0; i < 300; i++)
    await symlink(join(folder, 'train', 'a', '0.png'), join(folder, 'train', 'b', `${i}-link.png`));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('help', () => {
  it('gives an overview of every verb, and its version', async () => {
    const { status, stdout, stderr } = await imprint(['--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const verb of VERBS) expect(stdout).toMatch(new RegExp(`^ {2}${verb} `, 'm'));
    const { version } = createRequire(import.meta.url)('../../../packages/cli/package.json') as { version: string };
    expect(await imprint(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('is linked by npm in a fresh clone, before anything is built', () => {
    // What broke: `npx imprint` found no command, since npm links only files that are there when it installs.
    expect(realpathSync(LINKED)).toBe(realpathSync(MAIN));
  });

  it.each(VERBS)('explains %s with usage, options and examples', async (verb) => {
    const { status, stdout, stderr } = await imprint([verb, '--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^Usage\n {2}imprint ${verb} `, 'm'));
    expect(stdout).toMatch(new RegExp(`^Examples\n {2}imprint ${verb}`, 'm'));
    expect(stdout).toMatch(/^ {2}--json/m);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(140);
  });
});

describe('wrong usage exits 2 with one sentence and the way to the help', () => {
  it.each([
    [[], /Usage/],
    [['lern'], /Expected a verb .*got "lern"\. See: imprint --help/],
    [['learn'], /Expected DIR, got nothing\. See: imprint learn --help/],
    [['learn', 'a'], /Expected --out FILE/],
    [['learn', 'a', '--out'], /--out/],
    [['learn', 'a', '--out='], /Expected a value after --out/],
    [['learn', 'a', 'b', '--out', 'x'], /got "b" as well/],
    [
      ['learn', 'a', '--out', 'x', '--device', 'abacus'],
      /Expected one of auto, cpu, cuda, webgpu for --device, got "abacus"/,
    ],
    [['learn', 'a', '--out', 'x', '--head', 'foot'], /Expected one of auto, .* for --head, got "foot"/],
    [['learn', 'a', '--out', 'x', '--unknown-below', '1.5'], /from 0 to 1 for --unknown-below/],
    [['classify', 'x', 'y', '--top', 'many'], /for --top, got "many"/],
    [['classify', 'x', 'y', '--top', '1.5'], /whole number for --top/],
    [['classify', 'x', 'y', '--speed'], /--speed/],
    [['classify', 'x'], /Expected FILE IMAGE\|DIR\.\.\., got only "x"/],
    [['merge', 'out', 'one'], /Expected OUT FILE FILE\.\.\., got only "out" "one"/],
    [['rename', 'file', 'old'], /Expected FILE OLD NEW, got only "file" "old"/],
    [['models', 'paint'], /got "paint"/],
    [['doctor', 'x'], /^imprint: Expected no argument, got "x"\. See/],
    [
      ['learn', 'a', '--out', 'x', '--head', 'kernel-ridge', '--memory', 'statistics'],
      /Expected one of auto, nearest-class-mean, .*kernel-ridge-linear with memory "statistics" for head, got "kernel-ridge"/,
    ],
    [['learn', 'a', '--out', 'new/'], /for --out, got "new\/", which names a folder\. Add the file's name\./],
    [['eval', 'x', 'a', '--html', 'new/'], /for --html, got "new\/", which names a folder/],
    [['merge', 'out', 'one', 'two/'], /Expected the path of a file for FILE, got "two\/"/],
    [['classify', '', 'a.jpg'], /Expected a path for FILE, got an empty one\./],
    [['classify', 'x', 'a.jpg', ''], /Expected a path for IMAGE\|DIR, got an empty one\./],
    [['learn', '', '--out', 'x'], /Expected a path for DIR, got an empty one\./],
    [['classify', 'x', 'y', '--nearest', '-1'], /Expected a value after --nearest, got "-1", .*: --nearest=-1\./],
    [['classify', 'x', 'y', '--nearest=-1'], /Expected a number of at least 0 for --nearest, got "-1"/],
    [['learn', 'a', '--out', '--json'], /Expected a value after --out, got "--json", which reads as an option\./],
  ])('imprint %j', async (args, message) => {
    const { status, stdout, stderr } = await imprint(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
    if (args.length > 0) expect(stderr).toMatch(/^imprint: [^\n]* See: imprint [^\n]*--help\n$/);
  });

  it('takes what follows -- as an argument', async () => {
    const { status, stderr } = await imprint(['remove', model, '--', '--help']);
    expect({ status, stderr: stderr.includes('"--help"') }).toEqual({ status: 1, stderr: true });
  });
});

describe('failures', () => {
  it('says one sentence, and where it happened only with IMPRINT_DEBUG=1', async () => {
    const missing = ['info', join(folder, 'missing.imprint')];
    const quiet = await imprint(missing);
    expect(quiet).toMatchObject({ status: 1, stdout: '' });
    expect(quiet.stderr).toMatch(/^imprint: Expected a classifier at .*missing\.imprint, found no file\.[^\n]*\n$/);
    expect((await imprint(missing, { IMPRINT_DEBUG: '1' })).stderr).toMatch(/\n {4}at /);
  });

  it.skipIf(process.platform !== 'linux')(
    'states that the current folder has been deleted, where a path or a thread starts from it',
    () => {
      const script = 'mkdir "$1" && cd "$1" && rmdir "$1" && shift && exec "$@"';
      const inDeleted = (...args: string[]): { status: number | null; stdout: string; stderr: string } => {
        const words = ['-c', script, 'sh', join(folder, 'gone'), process.execPath, MAIN, ...args];
        return spawnSync('sh', words, { encoding: 'utf8' });
      };
      const photos = join(folder, 'train', 'a');
      for (const args of [
        ['info', 'model.imprint'],
        ['classify', model, photos, '--backbone', TINY],
        ['learn', 'train', '--out', join(folder, 'lost.imprint')],
        ['doctor'],
      ]) {
        const { status, stdout, stderr } = inDeleted(...args);
        expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
        expect(stderr).toMatch(/^imprint: Expected a current folder, got one that no longer exists\. [^\n]*\n$/);
      }
      expect(inDeleted('info', model)).toMatchObject({ status: 0, stderr: '' });
    },
  );

  it.skipIf(process.platform !== 'linux')('states that standard output could not be written (/dev/full)', () => {
    const { status, stderr } = spawnSync('sh', ['-c', '"$0" "$1" --help > /dev/full', process.execPath, MAIN], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^imprint: Expected to write to standard output, got ENOSPC[^\n]*\n$/);
  });
});

describe.skipIf(process.platform === 'win32')('pipes', () => {
  it('ends quietly when the reader goes away, as in `imprint classify ... | head -1`', () => {
    const command = `"$0" "$1" classify "$2" "$3" --backbone "$4" --json | head -1`;
    const { stdout, stderr } = spawnSync(
      'sh',
      ['-c', command, process.execPath, MAIN, model, join(folder, 'train'), TINY],
      {
        encoding: 'utf8',
      },
    );
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toHaveLength(2);
    expect(JSON.parse(stdout)).toMatchObject({ known: expect.any(Boolean) as boolean });
  });

  it('goes on adding when nobody reads what it says', async () => {
    const file = join(folder, 'unheard.imprint');
    execFileSync('cp', [model, file]);
    const child = spawn(process.execPath, [MAIN, 'add', file, 'c', join(folder, 'train', 'a'), '--backbone', TINY]);
    child.stdout.destroy();
    child.stderr.destroy();
    const [status] = (await once(child, 'exit')) as [number];
    expect(status).toBe(0);
    expect(JSON.parse((await imprint(['info', file, '--json'])).stdout)).toMatchObject({ examples: 9 });
  });
});

// util-linux `script` gives a process a real terminal.
const hasTerminal = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;

describe.skipIf(!hasTerminal)('on a terminal (needs `script` of util-linux)', () => {
  function onTerminal(args: readonly string[]): ReturnType<typeof spawn> {
    const command = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(' ');
    const environment: NodeJS.ProcessEnv = { ...process.env, TERM: 'xterm' };
    delete environment['NO_COLOR'];
    return spawn('script', ['-qefc', command, '/dev/null'], { env: environment });
  }
  async function seen(child: ReturnType<typeof spawn>): Promise<{ text: string; status: number | null }> {
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    child.stdin?.end();
    const [status] = (await once(child, 'close')) as [number | null];
    return { text, status };
  }

  it('draws a progress bar and wipes it', async () => {
    const out = join(folder, 'bar.imprint');
    const { text } = await seen(onTerminal(['learn', join(folder, 'train'), '--out', out, '--backbone', TINY]));
    expect(text).toMatch(/learning {2}[█░]{24} {2}\d+\/306 images/);
    expect(text.lastIndexOf('\r\u001b[2K')).toBeGreaterThan(text.lastIndexOf('learning'));
    expect(text).toContain('Learned 2 classes');
  });

  it('draws no bar between the lines of a table that a pipe may bring to the same terminal, and one beside a file', async () => {
    const classify = [process.execPath, MAIN, 'classify', model, join(folder, 'train'), '--backbone', TINY].join(' ');
    const piped = await seen(spawn('script', ['-qefc', `${classify} | cat`, '/dev/null']));
    expect(piped.text.split('\r\n')).toHaveLength(1 + 306 + 1);
    expect(piped.text).not.toContain('█');
    expect(piped.text).not.toContain('\u001b');
    const table = join(folder, 'table.txt');
    const filed = await seen(spawn('script', ['-qefc', `${classify} > ${table}`, '/dev/null']));
    expect(filed.text).toMatch(/classifying {2}[█░]{24} {2}\d+\/306 images/);
    expect(filed.text.endsWith('\r\u001b[2K')).toBe(true);
    expect((await readFile(table, 'utf8')).split('\n')).toHaveLength(1 + 306 + 1);
  });

  it('colours the table, and not where NO_COLOR is set', async () => {
    const [escape, green] = ['\u001b[', '\u001b[32m'];
    const args = ['classify', model, join(folder, 'train', 'a'), '--backbone', TINY];
    expect((await seen(onTerminal(args))).text).toContain(green);
    const child = spawn('script', ['-qefc', [process.execPath, MAIN, ...args].join(' '), '/dev/null'], {
      env: { ...process.env, NO_COLOR: '1' },
    });
    expect((await seen(child)).text).not.toContain(escape);
  });

  it('stops on Ctrl-C with one sentence and status 130, the file unchanged', async () => {
    const before = await readFile(model);
    // Enough pictures to be still at it when the key is pressed, which is when the bar shows.
    const args = ['add', model, 'more', ...Array<string>(12).fill(join(folder, 'train')), '--backbone', TINY];
    const child = onTerminal(args);
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      if (text === '' || !text.includes('adding')) {
        text += chunk;
        if (text.includes('adding')) child.stdin?.write('\u0003');
      } else text += chunk;
    });
    const [status] = (await once(child, 'close')) as [number];
    expect(status).toBe(130);
    expect(text).toMatch(/imprint: Stopped before the end; no file was changed\.\r\n$/);
    expect(await readFile(model)).toEqual(before);
  });
});
