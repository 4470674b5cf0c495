/** Colours, only on a terminal, and not where NO_COLOR asks for none (no-color.org). */

export type Tone = 'bold' | 'dim' | 'good' | 'doubtful' | 'bad';

const CODES: Record<Tone, string> = { bold: '1', dim: '2', good: '32', doubtful: '33', bad: '31' };

export type Paint = (tone: Tone, text: string) => string;

/** Colours text for `output`, or leaves it as it is. */
export function paintFor(output: { readonly isTerminal: boolean }, environment = process.env): Paint {
  const plain = !output.isTerminal || Boolean(environment['NO_COLOR']) || environment['TERM'] === 'dumb';
  return plain ? (_tone, text) => text : (tone, text) => `\u001b[${CODES[tone]}m${text}\u001b[0m`;
}
