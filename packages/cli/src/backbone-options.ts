/** The options of every verb that looks at pictures: which backbone, on which device. */

import type { Device } from '@imprint/node';
import type { CommandArguments } from './command-arguments.ts';
import type { CommandOption } from './command.ts';
import { fileSize } from './display-text.ts';
import type { Output } from './output.ts';

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

export interface BackboneChoice {
  readonly backbone?: string;
  readonly device?: Device | 'auto';
  readonly onProgress: (progress: { readonly receivedBytes: number; readonly totalBytes: number | undefined }) => void;
}

/** The choice, and a line on a terminal while a backbone is downloaded. */
export function backboneOptions(args: CommandArguments, notices: Output): BackboneChoice {
  // Pictures are looked at in threads, and Node starts none where the current folder has been deleted: this throws then.
  process.cwd();
  const backbone = args.text('backbone');
  const device = args.choice('device', DEVICES);
  return {
    ...(backbone === undefined ? {} : { backbone }),
    ...(device === undefined ? {} : { device }),
    onProgress: ({ receivedBytes, totalBytes }) => {
      if (!notices.isTerminal) return;
      const whole = totalBytes === undefined ? '' : ` of ${fileSize(totalBytes)}`;
      const text = receivedBytes === totalBytes ? '' : `fetching the backbone  ${fileSize(receivedBytes)}${whole}`;
      void notices.write(`\r\u001b[2K${text.slice(0, notices.columns - 1)}`);
    },
  };
}
