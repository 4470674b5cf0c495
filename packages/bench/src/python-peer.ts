/** A Python child as a contender: it stays alive, so that rounds take turns, and its own clock times the work alone. */

import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** How arrays go over; row-major. */
type PeerArray = Float32Array | Float64Array | Int8Array | Int32Array;

const DTYPES: ReadonlyMap<string, string> = new Map([
  ['Float32Array', 'float32'],
  ['Float64Array', 'float64'],
  ['Int8Array', 'int8'],
  ['Int32Array', 'int32'],
]);

/** Reads a JSON line, answers a JSON line. What the work prints goes to standard error. */
const LOOP = `
import json, os, sys, time, resource
import numpy as np
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
scope = {"np": np}
def peak_bytes():
    # ru_maxrss starts at what the parent had when it forked.
    try:
        for status in open("/proc/self/status"):
            if status.startswith("VmHWM:"): return int(status.split()[1]) * 1024
    except OSError: pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
for line in sys.stdin:
    request = json.loads(line)
    try:
        kind = request["kind"]
        if kind == "define":
            exec(request["source"], scope)
            reply = {}
        elif kind == "set":
            array = np.fromfile(request["file"], dtype=request["dtype"]).reshape(request["shape"])
            scope[request["name"]] = array
            reply = {}
        elif kind == "get":
            array = np.ascontiguousarray(scope[request["name"]], dtype="float64")
            array.tofile(request["file"])
            reply = {"shape": list(array.shape)}
        else:
            function = scope[request["name"]]
            start = time.perf_counter()
            value = function(*request["arguments"])
            elapsed = (time.perf_counter() - start) * 1000
            peak = peak_bytes()
            reply = {"milliseconds": elapsed, "value": value, "peakBytes": peak}
    except Exception as error:
        reply = {"error": type(error).__name__ + ": " + str(error)}
    answers.write(json.dumps(reply) + "\\n")
    answers.flush()
`;

const MODULES = 'import numpy, scipy, sklearn';

let interpreter: string | undefined;

/** The first Python that has all three; IMPRINT_PYTHON names another. */
function findPython(): string {
  if (interpreter !== undefined) return interpreter;
  const named = process.env['IMPRINT_PYTHON'];
  const candidates = named === undefined ? ['/usr/bin/python3', 'python3'] : [named];
  interpreter = candidates.find((command) => spawnSync(command, ['-c', MODULES], { stdio: 'ignore' }).status === 0);
  if (interpreter === undefined) {
    throw new Error(
      `Expected a Python with NumPy, SciPy and scikit-learn, got none out of ${candidates.join(', ')}. Install Debian's python3-numpy python3-scipy python3-sklearn, or set IMPRINT_PYTHON.`,
    );
  }
  return interpreter;
}

export interface PeerRun<Value> {
  /** The call alone, by Python's clock. */
  readonly milliseconds: number;
  /** What the function returned; JSON. */
  readonly value: Value;
  /** The largest resident size of the child so far. */
  readonly peakBytes: number;
}

interface Reply {
  readonly error?: string;
}

/** One Python process with functions defined by a source text; NumPy is there as `np`. Close it when done. */
export class PythonPeer {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #folder: string;
  readonly #exited: Promise<void>;
  #files = 0;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()));
  }

  /**
   * @param source Python: imports and functions
   * @throws Error where no Python has the packages, or `source` fails
   */
  static async start(source: string): Promise<PythonPeer> {
    const python = findPython();
    const folder = await mkdtemp(path.join(tmpdir(), 'imprint-peer-'));
    const child = spawn(python, ['-u', '-c', LOOP], { stdio: ['pipe', 'pipe', 'inherit'] });
    const peer = new PythonPeer(child, folder);
    try {
      await peer.#ask({ kind: 'define', source });
    } catch (error) {
      await peer.close();
      throw error;
    }
    return peer;
  }

  /** Puts an array into the child, as the global `name`. @param shape its product is the array's length */
  async set(name: string, array: PeerArray, shape: readonly number[]): Promise<void> {
    const file = this.#file();
    await writeFile(file, new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    await this.#ask({ kind: 'set', name, file, dtype: DTYPES.get(array.constructor.name), shape });
    await rm(file);
  }

  /** The child's global `name` as float64, row-major: to compare answers. */
  async get(name: string): Promise<{ readonly values: Float64Array; readonly shape: readonly number[] }> {
    const file = this.#file();
    const { shape } = (await this.#ask({ kind: 'get', name, file })) as { shape: number[] };
    const bytes = await readFile(file);
    await rm(file);
    return { values: new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)), shape };
  }

  /** Calls the function `name` and times it. */
  async run<Value = unknown>(name: string, ...callArguments: readonly unknown[]): Promise<PeerRun<Value>> {
    return (await this.#ask({ kind: 'run', name, arguments: callArguments })) as PeerRun<Value>;
  }

  /** A contender for `interleave`: milliseconds of the call `name`, by Python's clock. */
  contender(name: string, ...callArguments: readonly unknown[]): () => Promise<number> {
    return async () => (await this.run(name, ...callArguments)).milliseconds;
  }

  /** Ends the child and removes its files. Idempotent. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const patience = setTimeout(() => this.#child.kill('SIGKILL'), 2000);
      await this.#exited;
      clearTimeout(patience);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  #file(): string {
    return path.join(this.#folder, `array-${this.#files++}`);
  }

  #ask(request: object): Promise<unknown> {
    const answer = this.#turn.then(async () => {
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
      const { done, value } = await this.#lines.next();
      if (done) throw new Error('Expected an answer from the Python peer, got its end. Its last words stand above.');
      const reply = JSON.parse(value as string) as Reply;
      if (reply.error !== undefined) throw new Error(`The Python peer failed: ${reply.error}`);
      return reply;
    });
    this.#turn = answer.catch(() => undefined);
    return answer;
  }
}
