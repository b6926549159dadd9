/**
 * The one script of the pages: it shows a session as it came about. Without it everything stands there at once.
 *
 * Elements say by themselves when they are there, in milliseconds of the replay: `data-at` on anything that comes at once; an answer
 * comes from `data-from` to `data-to`, by its `data-moments` (`ms,length;…`), of which each block is `data-begin` to `data-end`.
 * It makes no element and takes no text apart as HTML: what outsiders wrote stays text.
 */
export const REPLAY_SCRIPT = `
"use strict";
(() => {
  const bar = document.getElementById("replay");
  if (bar === null) return;
  const slider = bar.querySelector("input[type=range]");
  const button = bar.querySelector("button");
  const speed = bar.querySelector("select");
  const label = bar.querySelector("output");
  const cursor = document.querySelector(".strip .cursor");
  const end = Number(slider.max);
  const number = (element, name) => Number(element.dataset[name]);

  const plain = [...document.querySelectorAll("[data-at]")].map((element) => ({ element, at: number(element, "at"), shown: true }));
  const answers = [...document.querySelectorAll("[data-from]")].map((element) => ({
    element,
    from: number(element, "from"),
    to: number(element, "to"),
    length: number(element, "length"),
    moments: (element.dataset.moments || "").split(";").filter(Boolean).map((pair) => pair.split(",").map(Number)),
    blocks: [...element.children].map((block) => ({
      element: block,
      begin: number(block, "begin"),
      end: number(block, "end"),
      streams: block.classList.contains("text") || block.classList.contains("completion"),
      units: null,
      state: "whole",
    })),
    state: "whole",
  }));
  const exchanges = [...document.querySelectorAll("article.exchange")].map((element) => ({ element, at: number(element, "at") }));

  /* Characters of an answer that have come by a moment of the replay. */
  function lengthAt(answer, time) {
    if (answer.moments.length === 0) return time < answer.to ? 0 : Infinity;
    const last = answer.moments[answer.moments.length - 1][0];
    const ms = answer.to === answer.from ? last : ((time - answer.from) / (answer.to - answer.from)) * last;
    let length = 0;
    for (const [at, come] of answer.moments) {
      if (at > ms) break;
      length = come;
    }
    return length;
  }

  /* The texts and the masks of a block, in order; a mask is shown whole or not at all. */
  function unitsOf(block) {
    if (block.units !== null) return block.units;
    const units = [];
    const walker = document.createTreeWalker(block.element, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, {
      acceptNode: (node) => (node.parentNode.closest(".mask") === null ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_REJECT),
    });
    while (walker.nextNode() !== null) {
      const node = walker.currentNode;
      if (node.nodeType === Node.TEXT_NODE) units.push({ node, text: node.data, length: node.data.length });
      else if (node.classList.contains("mask")) units.push({ mask: node, length: 12 });
    }
    return (block.units = units);
  }

  function showPart(block, share) {
    const units = unitsOf(block);
    let left = Math.round(units.reduce((sum, unit) => sum + unit.length, 0) * share);
    for (const unit of units) {
      if (unit.mask) unit.mask.classList.toggle("later", left <= 0);
      else {
        const text = unit.text.slice(0, Math.max(0, left));
        if (unit.node.data !== text) unit.node.data = text;
      }
      left -= unit.length;
    }
  }

  function setBlock(block, share) {
    const state = share <= 0 ? "none" : share >= 1 ? "whole" : "part";
    if (state === "part" && block.streams) showPart(block, share);
    else if (block.state === "part" && block.streams) showPart(block, 1);
    if (state === block.state) return;
    block.state = state;
    block.element.classList.toggle("later", state === "none");
  }

  function setAnswer(answer, time) {
    const state = time >= answer.to ? "whole" : time < answer.from ? "none" : "part";
    if (state === answer.state && state !== "part") return;
    answer.state = state;
    answer.element.classList.toggle("later", state === "none");
    answer.element.classList.toggle("streaming", state === "part");
    const length = state === "whole" ? Infinity : state === "none" ? 0 : lengthAt(answer, time);
    for (const block of answer.blocks) {
      const size = Math.max(1, block.end - block.begin);
      setBlock(block, length === Infinity ? 1 : (length - block.begin) / size);
    }
  }

  /* Of a short session, tenths of a second, too: it would stand at 0:00 from its beginning to its end. */
  const tenth = (ms) => (end < 10000 ? "." + (Math.floor(ms / 100) % 10) : "");
  const clock = (ms) => Math.floor(ms / 60000) + ":" + String(Math.floor(ms / 1000) % 60).padStart(2, "0") + tenth(ms);

  function show(time) {
    for (const item of plain) {
      const shown = item.at <= time || time >= end;
      if (shown !== item.shown) item.element.classList.toggle("later", !shown);
      item.shown = shown;
    }
    for (const answer of answers) setAnswer(answer, time >= end ? Infinity : time);
    const come = exchanges.filter(({ at }) => at <= time).length;
    const text = time >= end ? "whole session" : "exchange " + Math.max(1, come) + " of " + exchanges.length;
    label.textContent = text + " · " + clock(time) + " / " + clock(end);
    slider.setAttribute("aria-valuetext", text + ", " + clock(time));
    if (cursor !== null) cursor.setAttribute("x", String((time / end) * 1000));
    return exchanges[come - 1];
  }

  let playing = false;
  let following = true;
  let time = end;
  let before = 0;

  function setPlaying(on) {
    playing = on;
    button.textContent = on ? "Pause" : "Replay";
    bar.classList.toggle("playing", on);
    if (on) {
      if (time >= end) time = 0;
      following = true;
      before = performance.now();
      requestAnimationFrame(frame);
    }
  }

  function follow(exchange) {
    if (!following || exchange === undefined) return;
    const below = exchange.element.getBoundingClientRect().bottom - (innerHeight - bar.offsetHeight - 24);
    if (Math.abs(below) > 4) scrollBy({ top: below, behavior: "instant" });
  }

  function frame(now) {
    if (!playing) return;
    time = Math.min(end, time + (now - before) * Number(speed.value));
    before = now;
    slider.value = String(time);
    follow(show(time));
    if (time >= end) setPlaying(false);
    else requestAnimationFrame(frame);
  }

  for (const name of ["wheel", "touchmove"]) addEventListener(name, () => (following = false), { passive: true });
  button.addEventListener("click", () => setPlaying(!playing));
  slider.addEventListener("input", () => {
    if (playing) setPlaying(false);
    time = Number(slider.value);
    following = true;
    follow(show(time));
  });
  document.addEventListener("click", (event) => {
    /* Whoever follows a link within the page wants to see where it leads. */
    if (event.target instanceof Element && event.target.closest("a[href*='#']") !== null) {
      setPlaying(false);
      time = end;
      slider.value = String(end);
      show(end);
    }
  });
  bar.hidden = false;
  show(end);
})();
`.trim();
