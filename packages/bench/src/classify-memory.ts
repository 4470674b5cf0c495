/** A process that learns, answers one query, and says how much memory it had at most, all in all. Arguments: contender, classes, shots, dim. */

import { resourceUsage } from 'node:process';
import { askImprint, askTfjs, examplesOf } from './classify-contenders.ts';

const [contender, numClasses, shots, dim] = process.argv.slice(2);
const size = { numClasses: Number(numClasses), shots: Number(shots), dim: Number(dim) };
const ask = await (contender === 'tfjs' ? askTfjs(size) : askImprint(size, 'auto'));
const query = [...examplesOf({ ...size, numClasses: 1 })][0][1];
await ask(query, 1);
process.send?.(resourceUsage().maxRSS * 1024, () => process.exit(0));
