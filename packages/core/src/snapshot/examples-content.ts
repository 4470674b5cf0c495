/** The content of a classifier that keeps its examples, as tensors and back. */

import { ExampleMemory, type Example, type MemoryView } from '../memory/example-memory.ts';
import { compareText } from '../memory/label.ts';
import { utf8Decode, utf8Encode } from '../platform.ts';
import { bytesOf, invalid, type Tensor } from './safetensors.ts';
import { aligned, checkTexts, parse, take } from './take.ts';

/** Labels and tensors of one memory mode. */
export interface EncodedContent {
  readonly memory: 'examples' | 'statistics';
  readonly labels: readonly string[];
  readonly tensors: ReadonlyMap<string, Tensor>;
}

export function encodeExamples(memory: MemoryView): EncodedContent {
  const view = byLabel(memory);
  const { taps, dim, numClasses, numExamples } = view;
  const names = utf8Encode(JSON.stringify({ ids: view.ids, sources: view.sources.map((source) => source ?? null) }));
  const tensors = new Map<string, Tensor>([
    ['class_sums', { type: 'F64', shape: [numClasses, taps, dim], bytes: bytesOf(view.sums) }],
    ['class_indices', { type: 'I32', shape: [numExamples], bytes: bytesOf(view.classIndices) }],
    ['codes', { type: 'I8', shape: [numExamples, taps, dim], bytes: bytesOf(view.codes) }],
    ['examples_json', { type: 'U8', shape: [names.length], bytes: names }],
  ]);
  return { memory: 'examples', labels: view.labels, tensors };
}

/** The view with its classes ascending by label, as they stand in the file. */
function byLabel(view: MemoryView): MemoryView {
  const { labels, width, numExamples, numClasses } = view;
  const order = Array.from(labels.keys()).sort((a, b) => compareText(labels[a], labels[b]));
  if (order.every((k, at) => k === at)) return view;
  const firstRows = new Int32Array(numClasses);
  for (let k = 1; k < numClasses; k++) firstRows[k] = firstRows[k - 1] + view.counts[k - 1];
  const codes = new Int8Array(view.codes.length);
  const classIndices = new Int32Array(numExamples);
  const sums = new Float64Array(view.sums.length);
  const ids: string[] = [];
  const sources: (string | undefined)[] = [];
  for (const [at, k] of order.entries()) {
    const [first, end] = [firstRows[k], firstRows[k] + view.counts[k]];
    sums.set(view.sums.subarray(k * width, (k + 1) * width), at * width);
    codes.set(view.codes.subarray(first * width, end * width), ids.length * width);
    classIndices.fill(at, ids.length, ids.length + end - first);
    for (let row = first; row < end; row++) {
      ids.push(view.ids[row]);
      sources.push(view.sources[row]);
    }
  }
  const counts = Int32Array.from(order, (k) => view.counts[k]);
  return { ...view, labels: order.map((k) => labels[k]), codes, classIndices, counts, sums, ids, sources };
}

/** @param labels in canonical order, none twice @throws SNAPSHOT_INVALID where the parts do not fit together */
export function decodeExamples(
  labels: readonly string[],
  taps: number,
  dim: number,
  tensors: ReadonlyMap<string, Tensor>,
): ExampleMemory {
  const width = taps * dim;
  const classIndices = new Int32Array(aligned(take(tensors, 'class_indices', 'I32').bytes));
  const numExamples = classIndices.length;
  const codes = new Int8Array(aligned(take(tensors, 'codes', 'I8', [numExamples, taps, dim]).bytes));
  const sums = new Float64Array(aligned(take(tensors, 'class_sums', 'F64', [labels.length, taps, dim]).bytes));
  const { ids, sources } = readNames(take(tensors, 'examples_json', 'U8').bytes, numExamples);
  if (codes.includes(-128)) throw invalid('it holds the code -128, which no embedding has');

  const byClass: Example[][] = labels.map(() => []);
  for (let row = 0; row < numExamples; row++) {
    const examples = byClass[classIndices[row]];
    if (examples === undefined) throw invalid(`example ${row} belongs to no class`);
    const code = codes.subarray(row * width, (row + 1) * width);
    examples.push({ id: ids[row], source: sources[row] ?? undefined, codes: code });
  }
  const memory = new ExampleMemory(taps, dim);
  for (const [k, label] of labels.entries()) {
    if (byClass[k].length === 0) throw invalid(`class ${JSON.stringify(label)} is empty`);
    if (memory.add(label, byClass[k]) !== byClass[k].length) throw invalid('an example is in it twice');
  }
  const view = byLabel(memory.view());
  if (view.ids.some((id, row) => id !== ids[row])) throw invalid('its examples are not in canonical order');
  if (view.sums.some((sum, i) => sum !== sums[i])) throw invalid('its class sums are not the sums of its codes');
  return memory;
}

function readNames(bytes: Uint8Array, numExamples: number): { ids: string[]; sources: (string | null)[] } {
  let text: string;
  try {
    text = utf8Decode(bytes);
  } catch (cause) {
    throw invalid('its example names are no UTF-8', cause);
  }
  const { ids, sources } = (parse(text, 'example names') ?? {}) as { ids?: unknown; sources?: unknown };
  const checkedIds = checkTexts(ids, 'ids');
  if (!Array.isArray(sources) || !sources.every((item) => item === null || typeof item === 'string')) {
    throw invalid('its sources are no list of names');
  }
  if (checkedIds.length !== numExamples || sources.length !== numExamples) {
    throw invalid(`it names ${checkedIds.length} ids for ${numExamples} examples`);
  }
  return { ids: checkedIds, sources: sources as (string | null)[] };
}
