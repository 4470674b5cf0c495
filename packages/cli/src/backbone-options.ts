/** The options of every verb that looks at pictures: which backbone, on which device. */

import type { Device } from '@imprint/node';
import type { CommandArguments } from './command-arguments.ts';
import type { CommandOption } from './command.ts';

const DEVICES: readonly (Device | 'auto')[] = ['auto', 'cpu', 'cuda', 'webgpu'];

export const DEVICE_OPTION: CommandOption = {
  value: 'DEVICE',
  help: 'auto (default), cpu, cuda or webgpu; `imprint doctor` says which work here',
};

/** For verbs that open a file, which names its backbone itself. */
export const FILE_BACKBONE_OPTIONS: Readonly<Record<string, CommandOption>> = {
  backbone: { value: 'NAME|DIR', help: 'where the backbone is that FILE was learned with; default: found by its name' },
  device: DEVICE_OPTION,
};

export function backboneOptions(args: CommandArguments): { backbone?: string; device?: Device | 'auto' } {
  const backbone = args.text('backbone');
  const device = args.choice('device', DEVICES);
  return { ...(backbone === undefined ? {} : { backbone }), ...(device === undefined ? {} : { device }) };
}
