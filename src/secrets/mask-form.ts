/**
 * What stands in place of a secret: `⟦<rule>:<first 8 hex digits of its fingerprint>⟧`. The brackets (U+27E6, U+27E7) need no
 * escape in JSON, HTML, YAML or a shell, and stand in nobody's secrets.
 */
const openingUnit = "⟦".charCodeAt(0);
/** An upper bound: a rule's id has at most 64 characters. */
const longestMask = 80;

const wholeMask = /⟦[\w.-]{1,64}:[0-9a-f]{8}⟧/y;
const everyMask = new RegExp(wholeMask.source, "g");
const maskBeginning = /⟦(?:[\w.-]{1,64}(?::[0-9a-f]{0,8})?)?$/y;

export const encodeMask = (rule: string, fingerprint: string): string => `⟦${rule}:${fingerprint.slice(0, 8)}⟧`;

/** Whether there may be masks in a text: in nearly none there are. */
export const holdsMask = (text: string): boolean => text.includes("⟦");

/** The last opening before `end` that is near enough to belong to a mask there, or -1. */
function findOpening(text: string, end: number): number {
  for (let at = Math.min(end, text.length) - 1; at >= 0 && at >= end - longestMask; at--) {
    if (text.charCodeAt(at) === openingUnit) return at;
  }
  return -1;
}

/** The mask that has its opening before `at` or there, and its end behind. */
function maskOver(text: string, at: number): { readonly start: number; readonly end: number } | null {
  const start = findOpening(text, at + 1);
  if (start < 0) return null;
  wholeMask.lastIndex = start;
  return wholeMask.test(text) && wholeMask.lastIndex > at ? { start, end: wholeMask.lastIndex } : null;
}

/** Whether every character from `start` to `end` belongs to a mask: such a place has been masked before and stays as it is. */
export function isMasked(text: string, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const mask = maskOver(text, at);
    if (mask === null) return false;
    at = mask.end;
  }
  return true;
}

/** The span from `start` to `end` without the mask that it begins in and the one that it ends in. */
export function trimMasks(text: string, start: number, end: number): { readonly start: number; readonly end: number } {
  const before = maskOver(text, start);
  const after = maskOver(text, end);
  const from = before !== null && before.start < start ? before.end : start;
  return { start: from, end: Math.max(from, after === null ? end : after.start) };
}

/** @returns the offset of a mask that the text's end has cut off, or -1. */
export function findOpenMask(text: string): number {
  const opening = findOpening(text, text.length);
  if (opening < 0) return -1;
  maskBeginning.lastIndex = opening;
  return maskBeginning.test(text) ? opening : -1;
}

/** The masks in a text, one behind the other. */
export const masksIn = (text: string): string => (text.match(everyMask) ?? []).join("");
