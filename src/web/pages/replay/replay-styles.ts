/** How a session looks; a part of the stylesheet. */
export const REPLAY_STYLES = `
.session { display: grid; grid-template-columns: minmax(0, 1fr); gap: 0 1.6rem; }
.session > .top { grid-column: 1 / -1; margin-bottom: 1rem; }
.session .top h1 { margin: 0 0 .3rem; }
.session .crumb { margin: 0 0 .2rem; font-size: .88rem; }
.session .rail { display: grid; gap: .9rem; align-content: start; margin-top: 1.4rem; font-size: .92rem; }
.session .rail dl.facts { gap: .25rem 1rem; grid-template-columns: max-content minmax(0, 1fr); }
.card { padding: .85rem 1.1rem; }
.card h2 { margin: 0 0 .5rem; font-size: .92rem; }
.card li + li { margin-top: .6rem; }
.card .paths li + li, .card .outline li + li { margin-top: .25rem; }
.card .outline { counter-reset: turn; }
.card .outline a { display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; overflow: hidden; }
.card code { overflow-wrap: anywhere; }
.card .badge { margin-right: .2rem; }
@media (min-width: 66rem) {
  .session { grid-template-columns: minmax(0, 1fr) 19rem; }
  .session .rail { margin-top: 0; position: sticky; top: 1rem; max-height: calc(100vh - 8rem); overflow-y: auto; scrollbar-width: thin; align-self: start; padding-bottom: 1rem; }
}
.turn { background: var(--sheet); border: 1px solid var(--line); border-radius: 10px; margin-bottom: 1.1rem; padding-bottom: .4rem; }
.turn > h2 { margin: 0; padding: .6rem 1.2rem .1rem; font-size: .8rem; color: var(--soft); font-weight: 600; }
.exchange { padding: .5rem 1.2rem .7rem; scroll-margin-top: 1rem; }
.exchange + .exchange { border-top: 1px solid var(--line); }
.exchange:target { box-shadow: inset 3px 0 0 var(--busy); background: color-mix(in srgb, var(--busy-ground) 45%, transparent); }
.exchange.depth-1 { margin-left: 1.6rem; border-left: 2px solid var(--line); }
.exchange.depth-2 { margin-left: 3.2rem; border-left: 2px solid var(--line); }
.exchange.depth-3, .exchange.depth-4 { margin-left: 4.8rem; border-left: 2px solid var(--line); }
.exchange .agent { margin: .1rem 0 .3rem; font-size: .8rem; font-weight: 600; color: var(--busy); }
.exchange .quiet { margin: .2rem 0; color: var(--soft); }
.prompt { background: var(--raised); border: 1px solid var(--line); border-left: 3px solid var(--accent); border-radius: 3px 8px 8px 3px; padding: .65rem 1rem; margin: .35rem 0 .6rem; }
.attached { margin: -.2rem 0 .6rem; padding: .3rem 1rem; border: 1px dashed var(--strong-line); border-radius: 8px; width: fit-content; max-width: 100%; font-size: .86rem; color: var(--soft); overflow-wrap: anywhere; }
.attached strong { color: var(--ink); font-weight: 570; margin-right: .3rem; }
.exchange .meta { display: flex; flex-wrap: wrap; gap: .2rem .9rem; align-items: center; margin: .35rem 0 .45rem; color: var(--soft); font-size: .82rem; font-variant-numeric: tabular-nums; max-width: none; }
.meta .number { min-width: 1.55rem; text-align: center; padding: 0 .35rem; border-radius: 999px; background: var(--raised); box-shadow: inset 0 0 0 1px var(--line); color: var(--soft); }
.meta .model, .row .model { font-family: var(--mono); font-size: .92em; color: var(--ink); }
.row .model { color: inherit; }
.meta .raw { margin-left: auto; }
.block + .block { margin-top: .6rem; }
.prose { white-space: pre-wrap; overflow-wrap: anywhere; max-width: 52rem; }
.prose code { background: var(--raised); box-shadow: inset 0 0 0 1px var(--line); border-radius: 4px; padding: .02em .3em; }
.prose + .fence, .fence + .prose, .prose + .folded { margin-top: .6rem; }
.fence { margin: 0; border: 1px solid var(--line); border-radius: 7px; overflow: hidden; background: var(--raised); }
.fence figcaption { padding: .25rem .8rem; font: .78rem/1.5 var(--mono); color: var(--soft); border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.fence pre { padding: .6rem .8rem; font-size: .82rem; line-height: 1.5; max-height: 34rem; overflow: auto; }
.fence pre code { font-size: inherit; }
details.folded, details.asides { font-size: .9rem; color: var(--soft); }
details.folded > summary, details.asides > summary { padding: .12rem .3rem; border-radius: 5px; overflow-wrap: anywhere; }
details.folded > pre { margin: .3rem 0 .5rem; padding: .6rem .8rem; border-left: 2px solid var(--line); max-height: 28rem; overflow: auto; font-size: .8rem; }
details.asides > details { margin-left: 1rem; }
.block.reasoning details > pre { font-family: inherit; font-size: .9rem; font-style: italic; }
.tool { border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.tool .head { display: flex; flex-wrap: wrap; gap: .1rem .8rem; align-items: baseline; padding: .4rem .85rem; background: var(--raised); border-bottom: 1px solid var(--line); }
.tool .name { font: 600 .84rem/1.5 var(--mono); overflow-wrap: anywhere; }
.tool .about { color: var(--soft); font-size: .86rem; overflow-wrap: anywhere; }
.tool > pre, .tool details pre { padding: .55rem .85rem; font-size: .8rem; line-height: 1.5; max-height: 26rem; overflow: auto; }
.tool pre.terminal { background: var(--terminal); color: var(--terminal-ink); }
.tool pre.terminal code { font-size: inherit; }
.tool pre.terminal .sign { color: #8fdcb0; user-select: none; }
.tool pre.terminal .mask { background: none; color: #f0c987; border-color: #f0c987; }
.tool .no-result { margin: 0; padding: .3rem .85rem; font-size: .82rem; border-top: 1px solid var(--line); }
.tool details.folded { padding: .2rem .5rem; }
.change > summary { display: flex; flex-wrap: wrap; gap: .1rem .8rem; padding: .35rem .85rem; font: .82rem/1.5 var(--mono); }
.change > summary::before { content: "\\25B8"; color: var(--soft); }
.change[open] > summary::before { content: "\\25BE"; }
.change + .change { border-top: 1px solid var(--line); }
.change .path { overflow-wrap: anywhere; font-weight: 600; }
.change .count { margin-left: auto; }
.change .lines { border-top: 1px solid var(--line); font: .8rem/1.5 var(--mono); max-height: 34rem; overflow: auto; tab-size: 4; }
.change .lines > div { display: grid; grid-template-columns: 2rem minmax(0, 1fr); padding-right: .85rem; }
.change .lines .sign { text-align: center; user-select: none; }
.change .lines .code { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 1em; min-height: 1.5em; }
.change .lines .add { background: var(--good-ground); }
.change .lines .add .sign { color: var(--good); }
.change .lines .del { background: var(--bad-ground); }
.change .lines .del .sign { color: var(--bad); }
.change .lines .context .code { color: var(--soft); }
.change .lines .gap { display: block; padding: .1rem .85rem; color: var(--soft); background: var(--raised); }
details.result { border-top: 1px solid var(--line); font-size: .84rem; }
details.result > summary { display: flex; gap: .7rem; padding: .35rem .85rem; align-items: baseline; }
details.result > summary::before { content: "\\25B8"; color: var(--soft); }
details.result[open] > summary::before { content: "\\25BE"; }
details.result .label { color: var(--soft); }
details.result .preview { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font: .8rem/1.5 var(--mono); color: var(--soft); }
details.result .size { white-space: nowrap; }
.rest { margin: 0; padding: .4rem .85rem; font-size: .84rem; color: var(--soft); max-width: none; }
.pager { display: flex; gap: 1.4rem; align-items: baseline; margin: 0 0 .9rem; font-size: .92rem; }
.session .foot { font-size: .86rem; }
.replay { grid-column: 1 / -1; position: sticky; bottom: .6rem; z-index: 3; display: flex; gap: .5rem 1rem; align-items: center; margin-top: 1rem; padding: .6rem .9rem; background: var(--sheet); border: 1px solid var(--line); border-radius: 11px; box-shadow: 0 6px 24px rgb(0 0 0 / .16); }
.replay .track { flex: 1; min-width: 0; display: grid; gap: .1rem; }
.replay button { min-width: 5.4rem; }
.replay .speed select { width: auto; }
.replay output { font-size: .84rem; color: var(--soft); font-variant-numeric: tabular-nums; min-width: 13.5rem; text-align: right; }
.strip { width: 100%; height: 1.6rem; display: block; }
.strip .ask { fill: var(--accent); }
.strip .wait { fill: var(--line); }
.strip .run { fill: var(--busy); opacity: .75; }
.strip .run.sub { opacity: .45; }
.strip .run.truncated, .strip .run.client_gone { fill: var(--warn); }
.strip .run.refused, .strip .run.upstream_failed { fill: var(--bad); }
.strip a:hover .run { opacity: 1; }
.strip .cursor { fill: var(--ink); }
.later { display: none !important; }
.answer.streaming { border-right: 2px solid var(--busy); }
@media (max-width: 44rem) {
  .exchange { padding: .5rem .8rem .6rem; }
  .exchange.depth-1, .exchange.depth-2, .exchange.depth-3, .exchange.depth-4 { margin-left: .7rem; }
  .turn > h2 { padding: .5rem .8rem .1rem; }
  .replay { flex-wrap: wrap; }
  .replay { padding: .5rem .7rem; gap: .4rem .6rem; }
  .replay .track { order: -1; flex-basis: 100%; }
  .replay button { min-width: 4.6rem; padding: .35rem .6rem; }
  .replay .speed select { padding: .3rem .4rem; }
  .replay output { min-width: 0; margin-left: auto; font-size: .78rem; }
}
`;
