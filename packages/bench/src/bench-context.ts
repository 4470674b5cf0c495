/** What a table gets to work with: inputs, a Python peer, this machine's peaks, a line of progress. */

import { benchInputs, type BenchInputs } from './inputs.ts';
import type { Case } from './measure.ts';
import { measurePeaks, type MachinePeaks } from './machine-peaks.ts';
import { PythonPeer } from './python-peer.ts';

/** A table: the file `tables/NAME.ts` exports one of these under its name. */
export type Table = (context: BenchContext) => Promise<Case[]>;

export class BenchContext implements AsyncDisposable {
  readonly #root: string;
  readonly #table: string;
  readonly #peers: PythonPeer[] = [];
  #peaks: Promise<MachinePeaks> | undefined;

  /** @param root the repository's folder */
  constructor(root: string, table: string) {
    this.#root = root;
    this.#table = table;
  }

  /** The model and the photos that are not part of the repository. @throws Error that names what is missing */
  inputs(): BenchInputs {
    return benchInputs(this.#root);
  }

  /** A Python child with NumPy, SciPy and scikit-learn, and `source` defined in it; ends with the table. */
  async python(source: string): Promise<PythonPeer> {
    const peer = await PythonPeer.start(source);
    this.#peers.push(peer);
    return peer;
  }

  /** What this machine can do at most, measured once a table. Some five seconds. */
  peaks(): Promise<MachinePeaks> {
    this.progress('measuring the peaks of this machine');
    this.#peaks ??= measurePeaks();
    return this.#peaks;
  }

  /** The peaks, where some case asked for them. */
  get peaksMeasured(): Promise<MachinePeaks> | undefined {
    return this.#peaks;
  }

  /** A line on standard error: where a long run is. */
  progress(text: string): void {
    process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${this.#table}: ${text}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer.close();
  }
}
