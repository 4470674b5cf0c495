/** A process that learns, answers one query, and says how much memory it had at most, all in all. Arguments: contender, classes, shots, dim. */

import { askImprint, askTfjs, examplesOf } from './classify-contenders.ts';
import { peakResidentBytes } from './measure.ts';

const [contender, numClasses, shots, dim] = process.argv.slice(2);
const size = { numClasses: Number(numClasses), shots: Number(shots), dim: Number(dim) };
const ask = await (contender === 'tfjs' ? askTfjs(size) : askImprint(size, 'auto'));
const query = [...examplesOf({ ...size, numClasses: 1 })][0][1];
await ask(query, 1);
process.send?.(peakResidentBytes(), () => process.exit(0));
