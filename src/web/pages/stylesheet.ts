import { createHash } from "node:crypto";

/** The one stylesheet of the pages. Colours follow the reader's light or dark preference. */
export const STYLESHEET = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f7f6f3, #16181c);
  --sheet: light-dark(#ffffff, #1d2025);
  --line: light-dark(#e2dfd8, #31353d);
  --ink: light-dark(#23262b, #e4e5e8);
  --soft: light-dark(#686d76, #9aa0aa);
  --link: light-dark(#1f5fae, #83b4f2);
  --accent: light-dark(#2f4858, #a9c6d8);
  --good: light-dark(#1c6b3c, #7fd3a0);
  --good-ground: light-dark(#e4f3e8, #17301f);
  --bad: light-dark(#a3262b, #f39a9c);
  --bad-ground: light-dark(#fbe7e6, #3a1b1d);
  --warn: light-dark(#8a5a00, #e9bd6a);
  --warn-ground: light-dark(#fcf0d6, #36290f);
  --busy: light-dark(#1f5fae, #8fbcf5);
  --busy-ground: light-dark(#e3edfa, #182a40);
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
header.bar { background: var(--sheet); border-bottom: 1px solid var(--line); }
header.bar > div { max-width: 76rem; margin: 0 auto; padding: .6rem 1.25rem; display: flex; gap: .4rem 1.4rem; align-items: center; flex-wrap: wrap; }
.brand { font-weight: 650; color: var(--accent); display: inline-flex; gap: .5rem; align-items: center; letter-spacing: .01em; }
.brand svg { width: 1.3rem; height: 1.3rem; }
nav { display: flex; gap: 1.1rem; flex-wrap: wrap; }
nav a { color: var(--soft); padding: .15rem 0; border-bottom: 2px solid transparent; }
nav a[aria-current] { color: var(--ink); border-color: var(--accent); }
.who { margin-left: auto; display: flex; gap: .8rem; align-items: center; color: var(--soft); font-size: .9rem; }
main { max-width: 76rem; margin: 0 auto; padding: 1.6rem 1.25rem 4rem; }
h1 { font-size: 1.45rem; line-height: 1.25; margin: 0 0 1rem; font-weight: 620; overflow-wrap: anywhere; }
h2 { font-size: 1.02rem; margin: 2rem 0 .6rem; font-weight: 620; }
p { margin: .5rem 0; max-width: 46rem; }
.soft { color: var(--soft); }
.sheet { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; overflow-x: auto; }
.pad { padding: 1rem 1.2rem; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-size: .78rem; font-weight: 600; color: var(--soft); letter-spacing: .02em; }
th, .rows td { padding: .5rem .9rem; vertical-align: top; }
.rows tbody tr { border-top: 1px solid var(--line); }
.rows td { font-variant-numeric: tabular-nums; overflow-wrap: break-word; }
.rows td.tight, .rows th.tight { white-space: nowrap; width: 1%; }
.empty { padding: 1.4rem; color: var(--soft); text-align: center; }
code, pre, .mono { font-family: var(--mono); font-size: .86em; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.4rem; margin: 0; }
dl.facts dt { color: var(--soft); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.badge { display: inline-block; padding: .05rem .55rem; border-radius: 999px; font-size: .8rem; font-weight: 550; white-space: nowrap; background: var(--line); color: var(--soft); }
.badge.good { background: var(--good-ground); color: var(--good); }
.badge.bad { background: var(--bad-ground); color: var(--bad); }
.badge.warn { background: var(--warn-ground); color: var(--warn); }
.badge.busy { background: var(--busy-ground); color: var(--busy); }
h1 .badge { vertical-align: .2rem; margin-left: .4rem; }
.note { border-left: 3px solid var(--line); background: var(--sheet); padding: .7rem 1rem; margin: 1rem 0; border-radius: 0 6px 6px 0; }
.note.bad { border-color: var(--bad); background: var(--bad-ground); }
.note.warn { border-color: var(--warn); background: var(--warn-ground); }
.note.good { border-color: var(--good); background: var(--good-ground); }
form.decide { display: grid; gap: .7rem; max-width: 46rem; }
label { font-size: .86rem; color: var(--soft); display: grid; gap: .25rem; }
input, select, textarea, button { font: inherit; color: inherit; }
input, select, textarea { background: var(--ground); color: var(--ink); font-size: .95rem; border: 1px solid var(--line); border-radius: 6px; padding: .4rem .6rem; width: 100%; }
textarea { min-height: 4.2rem; resize: vertical; }
button { border: 1px solid var(--line); background: var(--sheet); border-radius: 6px; padding: .4rem .95rem; cursor: pointer; font-weight: 550; }
button:hover { border-color: var(--soft); }
button.approve { background: var(--good); border-color: var(--good); color: var(--sheet); }
button.deny { color: var(--bad); border-color: var(--bad); background: transparent; }
button.main { background: var(--accent); border-color: var(--accent); color: var(--sheet); }
a.button.main { display: inline-block; border-radius: 6px; padding: .4rem .95rem; font-weight: 550; background: var(--accent); color: var(--sheet); text-decoration: none; }
button.plain { border: 0; background: none; padding: 0; color: var(--link); font-weight: 400; }
.actions { display: flex; gap: .7rem; flex-wrap: wrap; }
form.filters { display: flex; flex-wrap: wrap; gap: .7rem; align-items: end; margin-bottom: 1.1rem; }
form.filters label { flex: 1 1 9rem; }
.pages { margin-top: .9rem; }
.narrow { max-width: 27rem; margin: 12vh auto 0; }
.narrow form { display: grid; gap: .9rem; }
.tiles { display: grid; gap: 0 1.2rem; grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr)); align-items: start; }
details > summary { cursor: pointer; }
details.file { border-top: 1px solid var(--line); }
details.file:first-child { border-top: 0; }
details.file > summary { padding: .55rem .9rem; font-family: var(--mono); font-size: .84rem; overflow-wrap: anywhere; }
details.file > summary .count { float: right; color: var(--soft); }
.plus { color: var(--good); }
.minus { color: var(--bad); }
table.diff { font-family: var(--mono); font-size: .8rem; line-height: 1.45; border-top: 1px solid var(--line); tab-size: 4; }
table.diff td { padding: 0 .6rem; vertical-align: top; }
table.diff td.n { width: 1%; min-width: 3rem; text-align: right; color: var(--soft); user-select: none; white-space: nowrap; border-right: 1px solid var(--line); }
table.diff td.t { white-space: pre-wrap; overflow-wrap: anywhere; }
table.diff tr.add { background: var(--good-ground); }
table.diff tr.del { background: var(--bad-ground); }
table.diff tr.hunk td, table.diff tr.meta td { color: var(--soft); background: var(--ground); }
table.diff tr.ai { background: var(--busy-ground); }
table.diff tr.ai_modified { background: var(--warn-ground); }
table.diff td.v { width: 1%; white-space: nowrap; color: var(--soft); font-size: .76rem; }
.commit { padding: .7rem .9rem; border-top: 1px solid var(--line); }
.commit:first-child { border-top: 0; }
.commit summary, .commit > div { display: flex; gap: .2rem .9rem; flex-wrap: wrap; align-items: baseline; }
.commit strong { font-weight: 570; overflow-wrap: anywhere; }
.commit pre { margin-top: .5rem; padding-left: 1rem; border-left: 2px solid var(--line); color: var(--soft); }
.message { padding: .8rem 1.1rem; border-top: 1px solid var(--line); }
.message:first-child { border-top: 0; }
.message > h3 { margin: 0 0 .3rem; font-size: .8rem; font-weight: 600; color: var(--soft); }
.message.assistant > h3 { color: var(--busy); }
.message.user > h3 { color: var(--good); }
.message pre { font-size: .84rem; }
.message .said { white-space: pre-wrap; overflow-wrap: anywhere; }
.message details { margin-top: .3rem; color: var(--soft); }
.copy { background: var(--ground); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; margin: .5rem 0 1rem; overflow-x: auto; }
.copy pre { white-space: pre; overflow-wrap: normal; }
@media (max-width: 40rem) { dl.facts { grid-template-columns: 1fr; gap: 0; } dl.facts dd { margin-bottom: .5rem; } }
`.trim();

/** Changes with the text, so that browsers may keep it for good. */
export const STYLESHEET_PATH = `/style-${createHash("sha256").update(STYLESHEET).digest("hex").slice(0, 12)}.css`;
