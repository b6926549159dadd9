/** What stands where a secret was: its kind (the rule's id) and the start of its keyed fingerprint. */
export interface MaskToken {
  readonly kind: string;
  /** 8 hex digits. */
  readonly fingerprint: string;
}

const TOKEN = /⟦([\w.-]{1,64}):([0-9a-f]{8})⟧/g;

/** @see secrets/mask-form.ts, which writes them */
export const encodeMaskToken = ({ kind, fingerprint }: MaskToken): string => `⟦${kind}:${fingerprint}⟧`;

/** A text that is one mask and nothing else; null for every other. */
export function parseMaskToken(text: string): MaskToken | null {
  const [token, ...rest] = splitAtMasks(text.trim());
  return token === undefined || typeof token === "string" || rest.length > 0 ? null : token;
}

/** The text in pieces: what is plain, and what was masked. */
export function splitAtMasks(text: string): readonly (string | MaskToken)[] {
  if (!text.includes("⟦")) return text === "" ? [] : [text];
  const pieces: (string | MaskToken)[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    if (match.index > end) pieces.push(text.slice(end, match.index));
    pieces.push({ kind: match[1] ?? "", fingerprint: match[2] ?? "" });
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}
