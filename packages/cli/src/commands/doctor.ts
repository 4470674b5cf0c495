/** `imprint doctor`: what works on this machine, and why the rest does not. */

import { inspectRuntime, type RuntimeReport } from '@imprint/node';
import type { Command } from '../command.ts';
import { counted, displayText, fileSize, pad } from '../display-text.ts';
import { paintFor, type Paint } from '../paint.ts';

export const doctor: Command = {
  name: 'doctor',
  summary: 'say what works on this machine: devices, versions, models',
  usage: ['doctor [--backbone NAME|DIR] [--json]'],
  details: ['Every device runs the backbone on a test picture, and its answer is compared with the stored one.'],
  options: {
    backbone: { value: 'NAME|DIR', help: 'the backbone to try; default: the embedded imprint-tiny' },
    json: { help: 'print one JSON object instead of text' },
  },
  examples: [['imprint doctor', 'start here when something does not work']],
  async run(args, { output, signal }) {
    args.exactly();
    // No device would be at fault where the current folder has been deleted: this throws then.
    process.cwd();
    const report = await inspectRuntime(args.text('backbone'), { signal });
    if (args.has('json')) await output.json(report);
    else for (const line of reportLines(report, paintFor(output))) await output.line(line);
    return report.chosenDevice === null ? 1 : 0;
  },
};

function reportLines(
  { versions, platform, cpu, backbone, devices, chosenDevice, cache }: RuntimeReport,
  paint: Paint,
): string[] {
  const { imprint, runtime, onnxruntime, sharp, libvips } = versions;
  const rows: [string, string][] = [
    ['Versions', `Imprint ${imprint}, ${runtime}, ONNX Runtime ${onnxruntime}, sharp ${sharp}, libvips ${libvips}`],
    ['Machine', `${platform}, ${displayText(cpu.model)}, ${counted(cpu.threads, 'thread')}`],
    [
      'Backbone',
      'error' in backbone
        ? paint('bad', displayText(backbone.error))
        : `${displayText(backbone.name)}, ${fileSize(backbone.sizeBytes)}, sha256 ${backbone.sha256}`,
    ],
    ...devices.map(({ device, state, reason, canaryCosine }, i): [string, string] => {
      const verdict =
        state === 'taken' ? paint('good', 'works') : `${paint('doubtful', 'no')}: ${displayText(reason ?? state)}`;
      const cosine =
        state === 'taken' && canaryCosine !== undefined ? `, test picture at cosine ${canaryCosine.toFixed(5)}` : '';
      return [i === 0 ? 'Devices' : '', `${pad(device, 6)}  ${verdict}${cosine}`];
    }),
    ['Auto', chosenDevice === null ? paint('bad', 'finds no device that works') : `takes ${chosenDevice}`],
    ['Cache', displayText(cache.folder)],
    ...cache.models.map(({ name, precision, sizeBytes }): [string, string] => [
      '',
      `${name} ${precision}, ${fileSize(sizeBytes)}`,
    ]),
  ];
  if (cache.error !== undefined) rows.push(['', paint('bad', displayText(cache.error))]);
  else if (cache.models.length === 0) rows.push(['', 'no backbone downloaded yet (imprint models list)']);
  return rows.map(([name, text]) => `${paint('bold', pad(name, 8))}  ${text}`);
}
