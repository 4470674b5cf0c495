/** The page's stylesheet: light and dark from one set of variables, readable on a phone and on paper. */

export const PAGE_STYLE = `
:root { color-scheme: light dark; --paper: #ffffff; --panel: #f6f7f9; --ink: #1d2129; --muted: #667085; --grid: #e3e6eb; --axis: #98a1af;
  --blue: #2f6fbb; --orange: #d9730d; --red: #c4314b; --on-colour: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171c; --panel: #1c2027; --ink: #e6e9ee; --muted: #98a2b3; --grid: #2c323c; --axis: #667085;
    --blue: #6aa9f0; --orange: #f0a04b; --red: #f26d84; --on-colour: #10131a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 32px 20px 64px; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 1.1rem; margin: 0 0 2px; }
p { margin: 0 0 12px; }
.note, figcaption { color: var(--muted); font-size: .92rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 24px 0; padding: 0; list-style: none; }
.tiles li { background: var(--panel); border: 1px solid var(--grid); border-radius: 10px; padding: 12px 14px; }
.tiles b { display: block; font-size: 1.55rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tiles span { display: block; font-weight: 600; font-size: .9rem; }
.tiles small { color: var(--muted); font-size: .8rem; }
.grid { display: grid; grid-template-columns: repeat(12, minmax(0, 1fr)); gap: 16px; }
section, .stack { grid-column: span 12; min-width: 0; }
section { background: var(--panel); border: 1px solid var(--grid); border-radius: 12px; padding: 18px 20px; }
.stack { display: grid; gap: 16px; align-content: start; }
@media (min-width: 900px) { .grid > .seven { grid-column: span 7; } .grid > .five { grid-column: span 5; } }
figure { margin: 10px 0 0; overflow-x: auto; }
figure svg { max-width: 100%; height: auto; display: block; margin: 0 auto; }
figcaption { margin-top: 6px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 6px 0 0; padding: 0; list-style: none; font-size: .88rem; color: var(--muted); }
.legend i { display: inline-block; width: .75em; height: .75em; border-radius: 3px; margin-right: .45em; vertical-align: -.04em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; margin-top: 10px; }
th, td { text-align: left; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--grid); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
th { color: var(--muted); font-weight: 600; }
summary { cursor: pointer; margin-top: 12px; color: var(--muted); font-size: .92rem; }
summary:focus-visible { outline: 2px solid var(--blue); outline-offset: 3px; }
footer { margin-top: 28px; color: var(--muted); font-size: .85rem; }
@media print { body { max-width: none; padding: 0; } section { break-inside: avoid; } }
`;
