/** What a classifier has learned, in either of its two forms, and how examples get into it. */

import type { Backbone } from './backbone.ts';
import { embedInputs, type AddOptions } from './embed-examples.ts';
import { ImprintError, expected } from './errors.ts';
import type { FitContext } from './head.ts';
import { loadSeldom } from './load-seldom.ts';
import { ClassStatistics, type ExampleSums } from './memory/class-statistics.ts';
import { codeGram } from './memory/gram.ts';
import { ExampleMemory, type Example } from './memory/example-memory.ts';
import type { Unreadable } from './prediction.ts';

/** `examples` keeps every example's code; `statistics` keeps sums only, constant in the number of examples. */
export type MemoryMode = 'examples' | 'statistics';

export type Content = ExampleMemory | ClassStatistics;

/** Examples ready to be committed in one step. */
export interface ReadyExamples {
  /** Codes with their names; empty in statistics mode. */
  readonly examples: readonly Example[];
  /** Absent in examples mode. */
  readonly sums?: ExampleSums;
  readonly count: number;
  readonly unreadable: readonly Unreadable[];
}

/** Codes that are summed at a time: what one exact f32 product takes. */
const SUM_BLOCK = 1024;

/** An empty content. @throws INVALID_ARGUMENT for another mode */
export function emptyContent(mode: MemoryMode, taps: number, dim: number): Content {
  if (mode === 'examples') return new ExampleMemory(taps, dim);
  if (mode === 'statistics') return new ClassStatistics(taps, dim);
  throw expected('memory', '"examples" or "statistics"', mode);
}

export function modeOf(content: Content): MemoryMode {
  return content instanceof ExampleMemory ? 'examples' : 'statistics';
}

/** Inputs between two turns of the host. */
export const TURN_INPUTS = 1024;

/**
 * Embeds inputs into what `content` takes in. In statistics mode memory stays constant however many there are.
 * @throws NO_EXAMPLES where none can be read; the first unreadable input's error with `onUnreadable: 'throw'`
 */
export async function readyExamples<Input>(
  content: Content,
  backbone: Backbone<Input>,
  inputs: Iterable<Input> | AsyncIterable<Input>,
  options: AddOptions,
  context: FitContext,
): Promise<ReadyExamples> {
  const examples: Example[] = [];
  const unreadable: Unreadable[] = [];
  let sums: ExampleSums | undefined;
  let count = 0;
  const sumUp = async (): Promise<void> => {
    sums = await addUp(sums, examples, content.width, context);
    examples.length = 0;
  };
  for await (const item of embedInputs(backbone, inputs, options)) {
    if ('error' in item) unreadable.push(item);
    else if (examples.push(item) === SUM_BLOCK && content instanceof ClassStatistics) await sumUp();
    if (!('error' in item)) count++;
    const done = count + unreadable.length;
    options.onProgress?.({ done });
    // A source that is ready at once gives the host no turn by itself.
    if (done % TURN_INPUTS === 0) {
      await context.yieldToHost?.();
      options.signal?.throwIfAborted();
    }
  }
  options.signal?.throwIfAborted();
  if (count === 0) throw noExamples(unreadable);
  if (content instanceof ExampleMemory) return { examples, count, unreadable };
  await sumUp();
  return { examples, ...(sums && { sums }), count, unreadable };
}

/** Adds ready examples to a class, all of them at once. @returns how many were new */
export function commitExamples(content: Content, label: string, { examples, sums }: ReadyExamples): number {
  if (content instanceof ExampleMemory) return content.add(label, examples);
  return sums === undefined ? 0 : content.add(label, sums);
}

/** Whether `takeOutExamples` would leave sums that examples can have. @throws CLASS_NOT_FOUND, INVALID_ARGUMENT */
export async function requirePossible(
  content: Content,
  label: string,
  { sums }: ReadyExamples,
  context: FitContext,
): Promise<void> {
  if (!(content instanceof ClassStatistics) || sums === undefined) return;
  const { requirePossibleSums } = await loadSeldom();
  await requirePossibleSums(content, label, sums, context);
}

/** Takes examples out of a class, all of them or, where one was never in, none. */
export function takeOutExamples(content: Content, label: string, { examples, sums }: ReadyExamples): void {
  if (content instanceof ExampleMemory) {
    const ids = examples.map(({ id }) => id);
    content.removeExamples(label, ids);
  } else if (sums !== undefined) content.subtract(label, sums);
}

/** Takes in everything of `other`. @throws INVALID_ARGUMENT where the two have different modes */
export function mergeContent(content: Content, other: Content): void {
  if (content instanceof ExampleMemory && other instanceof ExampleMemory) content.merge(other);
  else if (content instanceof ClassStatistics && other instanceof ClassStatistics) content.merge(other);
  else {
    throw expected('other', `a classifier with memory ${JSON.stringify(modeOf(content))}`, modeOf(other));
  }
}

/** The examples, for what needs single ones. @throws UNSUPPORTED in statistics mode, with what to do instead */
export function exampleMemory(content: Content, verb: string, instead: string): ExampleMemory {
  if (content instanceof ExampleMemory) return content;
  throw new ImprintError(
    'UNSUPPORTED',
    `Expected a classifier that keeps its examples for ${verb}, got one with memory "statistics", which keeps sums only. ${instead}`,
  );
}

async function addUp(
  sums: ExampleSums | undefined,
  examples: readonly Example[],
  width: number,
  context: FitContext,
): Promise<ExampleSums> {
  const codes = new Int8Array(examples.length * width);
  const total = sums?.sums ?? new Float64Array(width);
  for (const [row, example] of examples.entries()) {
    codes.set(example.codes, row * width);
    for (let j = 0; j < width; j++) total[j] += example.codes[j];
  }
  const gram = await codeGram(codes, examples.length, width, context);
  if (sums !== undefined) for (let i = 0; i < gram.length; i++) gram[i] += sums.gram[i];
  return { count: (sums?.count ?? 0) + examples.length, sums: total, gram };
}

function noExamples(unreadable: readonly Unreadable[]): ImprintError {
  const cause = unreadable[0]?.error;
  return new ImprintError(
    'NO_EXAMPLES',
    cause === undefined
      ? 'Expected at least one example, got none. Pass one or more inputs.'
      : `Expected at least one readable example, got ${unreadable.length} that cannot be read. The first: ${cause.message}`,
    { cause },
  );
}
