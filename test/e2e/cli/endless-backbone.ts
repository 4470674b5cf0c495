/** A backbone whose first inference never ends: a real ONNX Loop without a last round. */

import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { concatBytes } from '../../../packages/core/src/concat-bytes.ts';
import {
  FLOAT,
  intAttribute,
  intsAttribute,
  modelProto,
  nodeProto,
  valueInfo,
} from '../../../packages/core/src/onnx/matmul-graph.ts';
import { intField, messageField, textField } from '../../../packages/core/src/onnx/wire.ts';

const INT64 = 7;
const BOOL = 9;
/** AttributeProto.type of a graph. */
const ATTRIBUTE_GRAPH = 5;

/** Writes manifest and model into `folder`. */
export async function writeEndlessBackbone(folder: string): Promise<void> {
  const shape = ['batch', 3];
  const body = concatBytes([
    messageField(1, nodeProto('Identity', ['again'], ['again_out'])),
    messageField(1, nodeProto('Add', ['sum', 'mean'], ['sum_out'])),
    textField(2, 'body'),
    ...[valueInfo('round', INT64, []), valueInfo('again', BOOL, []), valueInfo('sum', FLOAT, shape)].map((input) =>
      messageField(11, input),
    ),
    ...[valueInfo('again_out', BOOL, []), valueInfo('sum_out', FLOAT, shape)].map((output) => messageField(12, output)),
  ]);
  const attribute = concatBytes([textField(1, 'body'), messageField(6, body), intField(20, ATTRIBUTE_GRAPH)]);
  const model = modelProto(
    'endless',
    [
      nodeProto('ReduceMean', ['pixels'], ['mean'], [intsAttribute('axes', [2, 3]), intAttribute('keepdims', 0)]),
      // Neither a number of rounds nor a first condition: it goes on for ever.
      nodeProto('Loop', ['', '', 'mean'], ['taps'], [attribute]),
    ],
    [valueInfo('pixels', FLOAT, ['batch', 3, 32, 32])],
    [valueInfo('taps', FLOAT, shape)],
  );
  const manifest = {
    name: 'endless',
    version: 1,
    file: 'model.onnx',
    sizeBytes: model.length,
    sha256: createHash('sha256').update(model).digest('hex'),
    licence: 'Apache-2.0',
    input: { name: 'pixels', size: 32, resize: 32, resample: 'bilinear', mean: [0, 0, 0], std: [1, 1, 1] },
    output: { name: 'taps', taps: [{ name: 'sum' }], dim: 3 },
  };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'model.onnx'), model);
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
}
