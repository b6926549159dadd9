/**
 * Secrets that stand in no single text, but in several parts of a message one behind the other: models read adjacent parts as one text,
 * without anything between them. What is told apart is looked through by its seams alone.
 */

/** Characters on both sides of a seam: a private key has hardly more. */
const SEAM = 2048;
const DEEPEST = 200;

type TextPart = Readonly<Record<string, unknown>> & { readonly text: string };
const isTextPart = (value: unknown): value is TextPart =>
  typeof value === "object" && value !== null && typeof (value as { text?: unknown }).text === "string";

/** What stands around the seams, short texts whole. */
function seamsOf(texts: readonly string[]): readonly string[] {
  const seams: string[] = [];
  let open = "";
  let joined = 0;
  const close = (): void => {
    if (joined > 1) seams.push(open);
  };
  for (const text of texts) {
    open += text.length > 2 * SEAM ? text.slice(0, SEAM) : text;
    joined += 1;
    if (text.length <= 2 * SEAM) continue;
    close();
    open = text.slice(-SEAM);
    joined = 1;
  }
  close();
  return seams;
}

/**
 * @param texts masked already, each by itself
 * @returns all of them as one, masked, where a secret reaches from one into the next; else null
 */
export function maskSplit(texts: readonly string[], mask: (text: string) => string): string | null {
  if (texts.length < 2 || !seamsOf(texts).some((seam) => mask(seam) !== seam)) return null;
  const whole = texts.join("");
  const masked = mask(whole);
  return masked === whole ? null : masked;
}

/** A list of parts, with those that share a secret made one. @param textOf null for what is no text: nothing reaches over it */
export function mergeSplit<T>(
  list: readonly T[],
  textOf: (part: T) => string | null,
  merge: (first: T, text: string) => T,
  mask: (text: string) => string,
): readonly T[] {
  const merged: T[] = [];
  let run: T[] = [];
  const close = (): void => {
    const [first] = run;
    const text = maskSplit(
      run.map((part) => textOf(part) ?? ""),
      mask,
    );
    if (first !== undefined && text !== null) merged.push(merge(first, text));
    else merged.push(...run);
    run = [];
  };
  for (const part of list) {
    if (textOf(part) !== null) run.push(part);
    else {
      close();
      merged.push(part);
    }
  }
  close();
  return merged;
}

/** The same in a parsed JSON value, wherever a list has parts with a `text`; what has none is the same value still. */
export function maskSplitJson(value: unknown, mask: (text: string) => string, depth = 0): unknown {
  if (typeof value !== "object" || value === null || depth > DEEPEST) return value;
  if (!Array.isArray(value)) {
    const entries = Object.entries(value) as [string, unknown][];
    const masked = entries.map(([name, inner]) => [name, maskSplitJson(inner, mask, depth + 1)] as const);
    return masked.every(([, inner], at) => inner === entries[at]?.[1]) ? value : Object.fromEntries(masked);
  }
  const list = value as readonly unknown[];
  const inner = list.map((item) => maskSplitJson(item, mask, depth + 1));
  const merged = mergeSplit(
    inner,
    (part) => (isTextPart(part) ? part.text : null),
    (first, text) => ({ ...(first as TextPart), text }),
    mask,
  );
  return merged.length === list.length && merged.every((item, at) => item === list[at]) ? value : merged;
}
