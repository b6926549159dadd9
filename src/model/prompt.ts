/**
 * What a person typed, apart from what their client put around it. Linear in the text's length: anybody can write any of it, and a
 * pattern that looks for each tag's end would read a prompt of megabytes thousands of times.
 */
export interface Prompt {
  /** What the person wrote. */
  readonly text: string;
  /** What the client put around it, in tags of its own, each on lines of its own (`<current_datetime>…</current_datetime>`). */
  readonly context: readonly { readonly name: string; readonly text: string }[];
}

/**
 * Names that clients use, or that look like theirs: `<div>` and `<script>` in a prompt are what somebody asks about. Codex puts the
 * instructions of a repository under a heading of its own.
 */
const TAG =
  /^(?:# AGENTS\.md instructions[^\n]{0,1000}\n{1,3})?[ \t]*<((?:attachments?|context|reminder|instructions?|INSTRUCTIONS|environment|tip)|[a-z][a-z0-9]{0,30}(?:[_-][a-z0-9]{1,30}){1,4})>/gm;
/** So many tags are looked at: each may cost a search through the rest of the text. */
const MAX_TAGS = 40;

/** @returns the text as the person's own, where there is nothing but tags: then the tags are what was said */
export function splitPrompt(text: string): Prompt {
  const prompt = takeApart(text);
  return prompt.text === "" ? { text: text.trim(), context: [] } : prompt;
}

/** @returns an empty text, where there is nothing but what the client put there */
export function takeApart(text: string): Prompt {
  const context: { name: string; text: string }[] = [];
  const kept: string[] = [];
  let at = 0;
  TAG.lastIndex = 0;
  for (let tags = 0; tags < MAX_TAGS; tags += 1) {
    const match = TAG.exec(text);
    if (match === null) break;
    const name = match[1] ?? "";
    const end = text.indexOf(`</${name}>`, TAG.lastIndex);
    if (end === -1) continue;
    kept.push(text.slice(at, match.index));
    context.push({ name, text: text.slice(TAG.lastIndex, end).trim() });
    at = end + name.length + 3;
    TAG.lastIndex = at;
  }
  kept.push(text.slice(at));
  return { text: kept.join("").trim(), context };
}
