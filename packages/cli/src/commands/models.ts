/** `imprint models`: the backbones that have a name, their downloads, and what a model file could be used as. */

import { ImprintError } from '@imprint/core';
import { fetchNamedModel, inspectModel, listModels, removeNamedModel, verifyModel } from '@imprint/node';
import type { ModelEntry, ModelInspection } from '@imprint/node';
import type { CommandArguments } from '../command-arguments.ts';
import { UsageError, type Command, type CommandContext, type ExitCode } from '../command.ts';
import { counted, displayText, displayWidth, fileSize, pad } from '../display-text.ts';
import type { Output } from '../output.ts';
import { paintFor } from '../paint.ts';

const REDRAW_MS = 100;

type Action = (args: CommandArguments, context: CommandContext) => Promise<ExitCode>;

/** Prints rows as columns of equal width; the first row is the heading. */
async function table(output: Output, rows: readonly (readonly string[])[]): Promise<void> {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => displayWidth(row[column]))));
  const paint = paintFor(output);
  for (const [i, row] of rows.entries()) {
    const text = row
      .map((cell, column) => pad(cell, widths[column]))
      .join('  ')
      .trimEnd();
    await output.line(i === 0 ? paint('bold', text) : text);
  }
}

function filesInWords(entry: ModelEntry): string {
  if (entry.kind === 'embedded')
    return entry.files[0].sizeBytes === null ? '' : `in the box, ${fileSize(entry.files[0].sizeBytes)}`;
  return entry.files
    .map(({ precision, sizeBytes, isCached }) => {
      const details = [sizeBytes === null ? '' : fileSize(sizeBytes), isCached ? 'here' : '']
        .filter(Boolean)
        .join(', ');
      return details ? `${precision} (${details})` : precision;
    })
    .join('  ');
}

const list: Action = async (args, { output, notices }) => {
  args.exactly('list');
  const entries = await listModels();
  if (args.has('json')) {
    for (const entry of entries) await output.json(entry);
    return 0;
  }
  const rows = entries.map((entry) => [
    entry.name,
    String(entry.dim),
    `${entry.size} px`,
    entry.pooling === 'none' ? 'as the model gives it' : entry.pooling,
    entry.licence,
    filesInWords(entry),
  ]);
  await table(output, [
    ['Name', 'Dim', 'Input', 'Taps of the last layer', 'Licence', 'Files'],
    ...rows.map((row) => row.map(displayText)),
  ]);
  const error = entries.find((entry) => entry.error !== undefined)?.error;
  if (error !== undefined) await notices.line(`imprint: ${displayText(error)}`);
  return 0;
};

const fetch: Action = async (args, { output, notices, signal }) => {
  const [, name] = args.exactly('fetch', 'NAME');
  const precision = args.text('precision');
  let drawnMs = -Infinity;
  const fetched = await fetchNamedModel(name, {
    signal,
    ...(precision === undefined ? {} : { precision }),
    onProgress: ({ receivedBytes, totalBytes }) => {
      const now = performance.now();
      if (!notices.isTerminal || now - drawnMs < REDRAW_MS) return;
      drawnMs = now;
      const share =
        totalBytes === undefined
          ? ''
          : ` of ${fileSize(totalBytes)}  ${Math.floor((receivedBytes / totalBytes) * 100)} %`;
      void notices.write(`\r\u001b[2Kfetching  ${fileSize(receivedBytes)}${share}`.slice(0, notices.columns));
    },
  }).finally(async () => {
    if (drawnMs > 0) await notices.write('\r\u001b[2K');
  });
  const { path, locked, wasCached } = fetched;
  if (args.has('json')) {
    await output.json({ name, precision: fetched.precision, path, wasCached, ...locked });
    return 0;
  }
  const { licence } = (await listModels()).find((entry) => entry.name === name) as ModelEntry;
  await output.line(
    `${name} ${fetched.precision}, ${fileSize(locked.sizeBytes)}, ${wasCached ? 'was here already' : 'fetched and verified'}: ${displayText(path)}`,
  );
  await output.line(
    `${locked.repository} at ${locked.revision}, sha256 ${locked.sha256}. Licence: ${displayText(licence)}`,
  );
  return 0;
};

const verify: Action = async (args, { output, signal }) => {
  if (args.positionals.length > 2) args.exactly('verify', 'NAME|DIR|FILE');
  const name = args.positionals[1];
  const verified = await verifyModel(name, { signal });
  if (args.has('json')) for (const entry of verified) await output.json(entry);
  else {
    const rows = verified.map((entry) => [
      entry.precision,
      fileSize(entry.sizeBytes),
      entry.sha256.slice(0, 16),
      entry.cosine === undefined
        ? 'the reference'
        : `${entry.cosine.toFixed(5)} to ${entry.reference} (at least ${entry.least})`,
      entry.isAccurate ? 'ok' : 'inaccurate',
    ]);
    await table(output, [['Precision', 'Size', 'sha256', 'Cosine, worst tap', ''], ...rows]);
  }
  const wrong = verified.filter((entry) => !entry.isAccurate).map((entry) => entry.precision);
  if (wrong.length === 0) return 0;
  throw new ImprintError(
    'BACKBONE_INVALID',
    `Expected every precision of ${name ?? 'imprint-tiny'} to agree with the reference, got other embeddings from ${wrong.join(', ')}. Use a precision that is ok.`,
  );
};

const remove: Action = async (args, { output }) => {
  const [, name] = args.exactly('remove', 'NAME');
  const unlock = args.has('unlock');
  const freedBytes = await removeNamedModel(name, { unlock });
  if (args.has('json')) await output.json({ name, freedBytes, unlocked: unlock });
  else {
    const kept = unlock
      ? 'Its commit and digest are forgotten.'
      : 'Its commit and digest stay locked for a later fetch (--unlock forgets them).';
    await output.line(
      `${name}: ${freedBytes === 0 ? 'nothing was there' : `${fileSize(freedBytes)} removed`}. ${kept}`,
    );
  }
  return 0;
};

async function describeInspection(inspection: ModelInspection, output: Output): Promise<void> {
  const paint = paintFor(output);
  const { inputs, outputs, numNodes, opset, stream, manifest, notes } = inspection;
  const shown = (values: typeof inputs): string =>
    values.map(({ name, shape }) => `${name} [${shape?.join(', ') ?? '?'}]`).join(', ');
  const blocks = stream
    ? `${counted(stream.blocks.length, 'block')} of ${stream.dim ?? '?'}, ${counted(stream.prefixTokens, 'token')} before the patches`
    : 'no residual stream of a transformer';
  const rows = [
    ['Inputs', shown(inputs)],
    ['Outputs', shown(outputs)],
    ['Graph', `${counted(numNodes, 'node')}, opset ${opset ?? '?'}; ${blocks}`],
    ...notes.map((note) => ['Note', note]),
  ];
  for (const [name, text] of rows) await output.line(`${paint('bold', pad(name, 7))}  ${displayText(text)}`);
  if (manifest === undefined) return;
  await output.line('');
  await output.line(paint('bold', 'manifest.json to put beside it, with its licence and its preprocessing:'));
  await output.line(JSON.stringify(manifest, null, 2));
}

const inspect: Action = async (args, { output, signal }) => {
  const [, path] = args.exactly('inspect', 'MODEL.onnx');
  const inspection = await inspectModel(path, { signal });
  if (args.has('json')) await output.json(inspection);
  else await describeInspection(inspection, output);
  return 0;
};

const ACTIONS = new Map<string, Action>(Object.entries({ list, fetch, verify, remove, inspect }));

export const models: Command = {
  name: 'models',
  summary: 'list, fetch, verify and remove backbones, or look into a model file',
  usage: [
    'models list [--json]',
    'models fetch NAME [--precision NAME] [--json]',
    'models verify [NAME|DIR|FILE] [--json]',
    'models remove NAME [--unlock] [--json]',
    'models inspect MODEL.onnx [--json]',
  ],
  options: {
    precision: { value: 'NAME', help: 'fp32 (default), fp16 or int8, where the backbone comes in it' },
    unlock: { help: 'forget the commit and digest that the first fetch locked' },
    json: { help: 'print JSON lines instead of text' },
  },
  examples: [
    ['imprint models list', 'names, sizes, licences, and what is here already'],
    ['imprint models fetch dinov2-small', 'download it once; `--backbone dinov2-small` then works offline'],
    ['imprint models verify', 'check the embedded backbone against its digest and its canary'],
    ['imprint models inspect my.onnx', 'what taps it has, and a manifest for it'],
  ],
  details: [
    'Downloads go to IMPRINT_CACHE, else $XDG_CACHE_HOME/imprint, else ~/.cache/imprint. They are resumed after a break,',
    "verified against the hub's declared SHA-256, and locked to it: a later fetch that differs is refused.",
    'IMPRINT_HUB_URL (or HF_ENDPOINT) names a mirror, IMPRINT_OFFLINE=1 forbids the network; HTTP_PROXY, HTTPS_PROXY, NO_PROXY count.',
  ],
  async run(args, context) {
    const [verb] = args.positionals;
    const action = ACTIONS.get(verb ?? '');
    if (action === undefined) {
      const names = [...ACTIONS.keys()].join(', ');
      throw new UsageError(
        verb === undefined
          ? `Expected one of ${names} after models, got nothing.`
          : `Expected one of ${names} after models, got ${JSON.stringify(verb)}.`,
      );
    }
    return action(args, context);
  },
};
