/** The one stylesheet of the pages. Colours follow the reader's light or dark preference; each pair of text and ground has 4.5:1 or more. */
import { REPLAY_STYLES } from "./replay/replay-styles.ts";

const COLOURS = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f5f4f0, #121417);
  --sheet: light-dark(#ffffff, #1a1d21);
  --raised: light-dark(#faf9f6, #21252a);
  --line: light-dark(#e2dfd7, #2e333a);
  --strong-line: light-dark(#8b8780, #6b727c);
  --ink: light-dark(#22262b, #e4e6e9);
  --soft: light-dark(#5c626b, #a0a6b0);
  --link: light-dark(#1a5aa8, #8bbaf6);
  --accent: light-dark(#23485d, #a3c9df);
  --on-accent: light-dark(#ffffff, #10161a);
  --good: light-dark(#17633a, #84d6a5);
  --good-ground: light-dark(#e3f3e8, #16301f);
  --bad: light-dark(#9c2228, #f4a3a5);
  --bad-ground: light-dark(#fbe8e7, #3b1c1e);
  --warn: light-dark(#7a4e00, #ecc274);
  --warn-ground: light-dark(#fbefd3, #35290f);
  --busy: light-dark(#1c56a0, #93c0f7);
  --busy-ground: light-dark(#e2edfa, #17293f);
  --terminal: light-dark(#20262d, #0d0f12);
  --terminal-ink: #dbe1e8;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}`;

const BASE = `
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; scroll-padding-bottom: 7rem; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.55 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; text-underline-offset: .15em; }
p a, dd a, .plain a { overflow-wrap: anywhere; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 2px; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; font-weight: 640; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.02rem; margin: 2rem 0 .6rem; font-weight: 640; overflow-wrap: anywhere; }
p { margin: .5rem 0; max-width: 46rem; }
code, pre, .mono { font-family: var(--mono); font-size: .86em; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 4; }
.soft { color: var(--soft); }
.plus { color: var(--good); }
.minus { color: var(--bad); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -99rem; top: 0; padding: .5rem 1rem; background: var(--sheet); z-index: 9; }
.skip:focus { left: 0; }
[hidden] { display: none !important; }`;

const FRAME = `
header.bar { background: var(--sheet); border-bottom: 1px solid var(--line); }
header.bar > div { max-width: 84rem; margin: 0 auto; padding: .65rem 1.25rem; display: flex; gap: .4rem 1.6rem; align-items: center; flex-wrap: wrap; }
.brand { font-weight: 660; color: var(--accent); display: inline-flex; gap: .5rem; align-items: center; }
.brand:hover { text-decoration: none; }
.brand svg { width: 1.35rem; height: 1.35rem; }
header.bar nav { display: flex; gap: .2rem 1.2rem; flex-wrap: wrap; }
header.bar nav a { color: var(--soft); padding: .2rem 0; border-bottom: 2px solid transparent; }
header.bar nav a:hover { color: var(--ink); text-decoration: none; }
header.bar nav a[aria-current] { color: var(--ink); border-color: var(--accent); }
.who { margin-left: auto; display: flex; gap: .8rem; align-items: center; color: var(--soft); font-size: .88rem; min-width: 0; }
.who .email { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 16rem; }
main { max-width: 84rem; margin: 0 auto; padding: 1.7rem 1.25rem 3rem; }
.sheet, .card { background: var(--sheet); border: 1px solid var(--line); border-radius: 9px; }
.sheet { overflow-x: auto; }
.pad { padding: 1rem 1.2rem; }
.empty { padding: 1.6rem 1.2rem; margin: 0; color: var(--soft); text-align: center; max-width: none; }
.narrow { max-width: 26rem; margin: 9vh auto 0; background: var(--sheet); border: 1px solid var(--line); border-radius: 12px; padding: 1.8rem 2rem; }
.narrow h1 { margin-bottom: .4rem; }
.narrow form { display: grid; gap: .9rem; margin: 1.1rem 0; }
.tiles { display: grid; gap: 0 1.4rem; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); align-items: start; }
.figures { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); }
.figure { display: grid; background: var(--sheet); border: 1px solid var(--line); border-radius: 9px; padding: .8rem 1rem; color: var(--ink); align-content: start; }
.figure:hover { border-color: var(--strong-line); text-decoration: none; }
.figure strong { font-size: 1.7rem; line-height: 1.2; font-weight: 620; font-variant-numeric: tabular-nums; }
.figure .soft { font-size: .85rem; }
.note { border-left: 3px solid var(--line); background: var(--sheet); padding: .7rem 1rem; margin: 1rem 0; border-radius: 0 6px 6px 0; overflow-wrap: anywhere; }
.note.bad { border-color: var(--bad); background: var(--bad-ground); }
.note.warn { border-color: var(--warn); background: var(--warn-ground); }
.note.good { border-color: var(--good); background: var(--good-ground); }
.copy { background: var(--raised); border: 1px solid var(--line); border-radius: 7px; padding: .7rem .9rem; margin: .5rem 0 1rem; overflow-x: auto; }
.copy pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.way { display: grid; grid-template-columns: minmax(13rem, 19rem) minmax(0, 1fr); gap: .3rem 1.6rem; padding: 1rem 1.2rem; border-top: 1px solid var(--line); align-items: start; }
.way:first-child { border-top: 0; }
.way h3 { font-size: .95rem; font-weight: 600; margin: 0; }
.way p { font-size: .88rem; margin: .25rem 0 0; }
.way .copy { margin: 0; }
.note .copy { margin: .5rem 0 .2rem; }
.ask { max-width: 34rem; }
.ask .facts { margin: 1rem 0; }
.rows tr.over td { color: var(--soft); }`;

const PARTS = `
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-size: .8rem; font-weight: 600; color: var(--soft); }
th, .rows td { padding: .55rem .95rem; vertical-align: top; }
.rows tbody tr { border-top: 1px solid var(--line); }
.rows tbody tr:hover { background: var(--raised); }
.rows td { font-variant-numeric: tabular-nums; overflow-wrap: break-word; }
.rows td.tight, .rows th.tight { white-space: nowrap; width: 1%; }
dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .35rem 1.4rem; margin: 0; }
dl.facts dt { color: var(--soft); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.badge { display: inline-block; padding: .06rem .55rem; border-radius: 999px; font-size: .8rem; font-weight: 560; white-space: nowrap; background: var(--raised); color: var(--soft); box-shadow: inset 0 0 0 1px var(--line); }
.badge.good { background: var(--good-ground); color: var(--good); box-shadow: none; }
.badge.bad { background: var(--bad-ground); color: var(--bad); box-shadow: none; }
.badge.warn { background: var(--warn-ground); color: var(--warn); box-shadow: none; }
.badge.busy { background: var(--busy-ground); color: var(--busy); box-shadow: none; }
h1 .badge { vertical-align: .2rem; margin-left: .5rem; letter-spacing: 0; }
.mask { display: inline-flex; gap: .35em; align-items: baseline; max-width: 100%; padding: 0 .45em; border: 1px dashed var(--warn); border-radius: 4px; background: var(--warn-ground); color: var(--warn); font: 600 .8rem/1.45 var(--mono); white-space: nowrap; text-decoration: none; }
.mask::before { content: "\\2588\\2588"; letter-spacing: -.1em; opacity: .55; font-size: .75em; }
.mask .print { font-weight: 400; }
.mask .again { font-weight: 700; }
ul.plain, ol.plain { list-style: none; margin: 0; padding: 0; }
.line { display: flex; flex-wrap: wrap; gap: 0 .9rem; margin: .1rem 0 0; color: var(--soft); font-size: .88rem; max-width: none; align-items: baseline; }
.line > * { overflow-wrap: anywhere; }
ul.list { list-style: none; margin: 0; padding: 0; }
.row { display: grid; grid-template-columns: minmax(0, 1fr) max-content; gap: .1rem 1.2rem; padding: .7rem 1.1rem; border-top: 1px solid var(--line); }
.row:first-child { border-top: 0; }
.row:hover { background: var(--raised); }
.row .what { grid-row: 1 / 3; min-width: 0; }
.row .title { font-weight: 570; color: var(--ink); overflow-wrap: anywhere; text-wrap: pretty; }
.row .title:hover { color: var(--link); }
.row .how { display: flex; flex-wrap: wrap; gap: .3rem; justify-content: flex-end; align-items: start; }
.row .when { justify-self: end; text-align: right; }
.row .when { justify-content: end; font-variant-numeric: tabular-nums; }
.repository { font-family: var(--mono); font-size: .92em; }
.total { margin: 0 0 .4rem; font-size: .88rem; }
details > summary { cursor: pointer; }
details > summary:hover { background: var(--raised); }
.commit { padding: .7rem .95rem; border-top: 1px solid var(--line); }
.commit:first-child { border-top: 0; }
.commit summary, .commit > div { display: flex; gap: .2rem .9rem; flex-wrap: wrap; align-items: baseline; }
.commit strong { font-weight: 570; overflow-wrap: anywhere; }
.commit pre { margin-top: .5rem; padding-left: 1rem; border-left: 2px solid var(--line); color: var(--soft); }
details.file { border-top: 1px solid var(--line); }
details.file:first-child { border-top: 0; }
details.file > summary { padding: .55rem .95rem; font-family: var(--mono); font-size: .84rem; overflow-wrap: anywhere; }
details.file > summary .count { float: right; color: var(--soft); }
table.diff { font-family: var(--mono); font-size: .8rem; line-height: 1.5; border-top: 1px solid var(--line); tab-size: 4; }
table.diff td { padding: 0 .7rem; vertical-align: top; }
table.diff td.n { width: 1%; min-width: 3rem; text-align: right; color: var(--soft); user-select: none; white-space: nowrap; border-right: 1px solid var(--line); }
table.diff td.t { white-space: pre-wrap; overflow-wrap: anywhere; }
table.diff tr.add { background: var(--good-ground); }
table.diff tr.del { background: var(--bad-ground); }
table.diff tr.hunk td, table.diff tr.meta td { color: var(--soft); background: var(--raised); }
table.diff tr.ai { background: var(--busy-ground); }
table.diff tr.ai_modified, table.diff tr.moved { background: var(--warn-ground); }
table.diff td.v { width: 13rem; max-width: 13rem; color: var(--soft); font-size: .76rem; border-left: 1px solid var(--line); font-family: system-ui, sans-serif; }
table.diff td.v a { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
table.diff tr.run-start > td { border-top: 1px solid var(--line); }`;

const FORMS = `
form.decide { display: grid; gap: .8rem; max-width: 46rem; }
label { font-size: .86rem; color: var(--soft); display: grid; gap: .25rem; }
input, select, textarea, button { font: inherit; color: inherit; }
input, select, textarea { background: var(--sheet); color: var(--ink); font-size: .95rem; border: 1px solid var(--strong-line); border-radius: 6px; padding: .4rem .6rem; width: 100%; min-width: 0; height: 2.25rem; }
input[type="checkbox"] { width: 1.05rem; height: 1.05rem; accent-color: var(--accent); flex: none; }
input.code, b.code { font: 600 1.3rem/1.3 var(--mono); letter-spacing: .06em; }
input.code { text-transform: uppercase; text-align: center; height: 3rem; }
input.code::placeholder { color: var(--soft); opacity: .5; }
label.check { display: flex; gap: .6rem; align-items: center; font-size: .95rem; color: var(--ink); }
fieldset { border: 0; margin: 0; padding: 0; display: grid; gap: .4rem; }
legend { font-size: .86rem; color: var(--soft); padding: 0 0 .4rem; }
textarea { min-height: 4.6rem; resize: vertical; height: auto; }
input[type="range"] { padding: 0; border: 0; background: none; accent-color: var(--accent); height: 1.3rem; }
button { border: 1px solid var(--strong-line); background: var(--sheet); border-radius: 6px; padding: .4rem 1rem; cursor: pointer; font-weight: 560; min-height: 2.25rem; }
button:hover { border-color: var(--ink); }
button.approve { background: var(--good); border-color: var(--good); color: var(--sheet); }
button.deny { color: var(--bad); border-color: var(--bad); background: transparent; }
button.main, a.button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
a.button.main { display: block; text-align: center; padding: .45rem 1rem; border-radius: 6px; font-weight: 560; }
.narrow .actions > .main:only-child { flex: 1; }
button.plain { border: 0; background: none; padding: 0; min-height: 0; color: var(--link); font-weight: 400; }
button.plain:hover { text-decoration: underline; }
.actions { display: flex; gap: .8rem; flex-wrap: wrap; align-items: center; }
form.filters { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: .7rem .8rem; align-items: end; margin-bottom: 1.2rem; }
form.filters .wide { grid-column: span 2; }
form.filters .note { grid-column: 1 / -1; margin: 0; max-width: none; }
.pages { margin-top: .9rem; }
@media (max-width: 34rem) {
  body { font-size: 14.5px; }
  main { padding: 1.2rem .9rem 2.5rem; }
  header.bar > div { padding: .55rem .9rem; }
  header.bar nav { gap: .2rem .85rem; }
  .who { margin-left: 0; width: 100%; justify-content: space-between; }
  dl.facts { grid-template-columns: 1fr; gap: 0; }
  dl.facts dd { margin-bottom: .5rem; }
  form.filters { grid-template-columns: 1fr 1fr; }
  .row { grid-template-columns: max-content minmax(0, 1fr); gap: .25rem .7rem; padding: .7rem .8rem; align-items: center; }
  .row .what { grid-row: auto; grid-column: 1 / -1; }
  .row .how, .row .when { justify-self: start; justify-content: start; text-align: left; }
  .row .how { max-width: 11rem; }
  .narrow { padding: 1.3rem 1.2rem; margin-top: 4vh; }
  .way { grid-template-columns: minmax(0, 1fr); gap: .6rem; padding: .9rem; }
  th, .rows td { padding: .5rem .6rem; }
  .rows:not(.diff) thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .rows:not(.diff), .rows:not(.diff) tbody, .rows:not(.diff) tr, .rows:not(.diff) td { display: block; width: 100%; }
  .rows tbody tr { padding: .5rem .3rem; }
  .rows td, .rows td.tight { padding: .1rem .6rem; width: auto; white-space: normal; }
  .rows td[data-label] { display: grid !important; grid-template-columns: 6rem minmax(0, 1fr); }
  .rows td[data-label]::before { content: attr(data-label); color: var(--soft); font-size: .88em; grid-row: 1 / 9; }
  .rows td[data-label] > * { grid-column: 2; justify-self: start; }
  table.origins, table.origins tbody { display: block; }
  table.origins tr { display: grid; grid-template-columns: 2.4rem minmax(0, 1fr); }
  table.origins td.n { width: auto; }
  table.origins td.v { grid-area: 1 / 1 / 2 / -1; width: auto; max-width: none; border-left: 0; padding: .15rem .4rem; }
  table.origins tr:not(.run-start) > td.v, table.origins td.v.none { display: none; }
  table.origins tr.run-start > td:not(.v) { border-top: 0; }
  table.diff td.n { min-width: 2rem; padding: 0 .3rem; }
  table.diff td.t { padding: 0 .4rem; }
}
@media print { header.bar, form.filters, .replay { display: none; } }`;

export const STYLESHEET = [COLOURS, BASE, FRAME, PARTS, FORMS, REPLAY_STYLES].map((part) => part.trim()).join("\n");
