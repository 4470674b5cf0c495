/** Text for HTML and its charts: labels and file names are other people's, and stay text. */

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]);
}

/** A label inside a sentence: escaped, and its writing direction kept to itself. */
export function labelHtml(label: string): string {
  return `<bdi>${escapeHtml(label)}</bdi>`;
}

/** A fraction as a percentage with one decimal; a dash where there is none. */
export function percentText(fraction: number | null): string {
  return fraction === null ? '–' : `${(fraction * 100).toFixed(1)} %`;
}

/** `text`, at most `length` characters of it. */
export function shortened(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}

/** About how wide `text` is in a chart, in pixels at 12 px; letters of East Asian scripts are twice as wide. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += (character.codePointAt(0) ?? 0) >= 0x2e80 ? 12.5 : 6.6;
  return width;
}
