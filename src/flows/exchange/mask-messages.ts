/** Masks everything of a message before it is stored. The mask is handed in. */
import type { Message, Part } from "../../model/exchange.ts";
import { maskJson } from "../../secrets/mask-json.ts";
import { mergeSplit } from "../../secrets/split-texts.ts";
import { maskWords } from "../../secrets/mask-words.ts";

export interface MaskedText {
  readonly text: string;
  /** How many places were masked, by rule. */
  readonly counts: Readonly<Record<string, number>>;
}
export type Mask = (text: string) => MaskedText;

/** PostgreSQL's text and jsonb hold no U+0000 and no lone surrogate. Before masking: what is looked at is what is stored. */
const storable = (text: string): string => text.replaceAll("\0", "\u2400").toWellFormed();

/** One mask with a running count: what was masked, over all texts of an exchange. */
export interface MaskTally {
  text(value: string): string;
  /** Header values and the like: masked, on one line, cut to `max` characters. */
  line(value: string | null, max?: number): string | null;
  messages(list: readonly Message[]): readonly Message[];
  /** Counts what was masked elsewhere. */
  add(counts: Readonly<Record<string, number>>): void;
  readonly counts: Readonly<Record<string, number>>;
}

export function createMaskTally(mask: Mask): MaskTally {
  const counts: Record<string, number> = {};

  function text(value: string): string {
    const masked = mask(storable(value));
    add(masked.counts);
    return masked.text;
  }

  function add(more: Readonly<Record<string, number>>): void {
    for (const [rule, count] of Object.entries(more)) counts[rule] = (counts[rule] ?? 0) + count;
  }

  /** Arguments and results are often JSON, where a secret is written with escapes: its strings are masked one by one, in place. */
  const deep = (value: string): string => maskJson(storable(value), text) as string;

  // Every field anew and in a fixed order: equal parts must hash alike.
  function part(value: Part): Part {
    if (value.type === "tool_call") {
      const { id, name } = value;
      return { type: "tool_call", id: text(id), name: text(name), arguments: deep(value.arguments) };
    }
    if (value.type === "tool_result") return { type: "tool_result", id: text(value.id), text: deep(value.text) };
    if (value.type === "opaque") return { type: "opaque", kind: text(value.kind), text: deep(value.text) };
    return { type: value.type, text: deep(value.text) };
  }

  /** Texts that follow each other are read as one: a secret may reach from one into the next. */
  function together(parts: readonly Part[]): readonly Part[] {
    if (parts.length < 2) return parts;
    let last: MaskedText["counts"] = {};
    return mergeSplit(
      parts,
      (one) => (one.type === "text" ? one.text : null),
      (_first, joined) => {
        add(last);
        return { type: "text", text: joined };
      },
      (joined) => {
        const masked = mask(joined);
        last = masked.counts;
        return masked.text;
      },
    );
  }

  return {
    text,
    // Masked before it is cut: half of a secret is not recognised, and still half of a secret.
    line: (value, max = 300) =>
      value === null ? null : maskWords(value, text).replace(/\s+/g, " ").slice(0, max).toWellFormed(),
    messages: (list) => list.map(({ role, parts }) => ({ role, parts: together(parts.map(part)) })),
    add,
    counts,
  };
}
