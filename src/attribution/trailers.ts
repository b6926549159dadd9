/**
 * Trailers of a commit message, by the rules of git-interpret-trailers(1): the last paragraph, never the first one (that is the title),
 * where every line is a trailer, or where at least one is git's own (`Signed-off-by:`, `(cherry picked from commit`) and trailers
 * make a quarter of it. `---` does not end a message here: git's divider is for patches.
 */
export interface Trailer {
  readonly token: string;
  /** Continuation lines are joined by one space. */
  readonly value: string;
}

/** Longer last paragraphs are prose. They also bound the work on a message of many megabytes. */
const MAX_CHARACTERS = 65_536;
const TRAILER = /^([A-Za-z0-9-]+)[ \t]*:(.*)$/s;
const GIT_GENERATED = ["Signed-off-by: ", "(cherry picked from commit "];

const isBlank = (line: string): boolean => line.trim() === "";

/** The lines of the last paragraph; none where that is the title, or longer than the bound. */
function lastParagraph(message: string): string[] {
  const text = message.trimEnd();
  const lines = text.slice(-MAX_CHARACTERS).split("\n");
  // Where the bound cuts, the first piece is the end of a longer line, and may look blank.
  if (text.length > MAX_CHARACTERS) lines[0] = "cut";
  return lines.slice(lines.findLastIndex(isBlank) + 1 || lines.length);
}

export function parseTrailers(message: string): Trailer[] {
  const trailers: { readonly token: string; value: string }[] = [];
  /** What a continuation line continues. */
  let above: "trailer" | "other" | "comment" = "other";
  let hasOwn = false;
  let trailerLines = 0;
  let otherLines = 0;
  for (const line of lastParagraph(message)) {
    const match = TRAILER.exec(line);
    const isOwn = GIT_GENERATED.some((prefix) => line.startsWith(prefix));
    if (line.startsWith("#")) {
      above = "comment";
    } else if (isOwn || match !== null) {
      above = "trailer";
      hasOwn ||= isOwn;
      trailerLines += 1;
      trailers.push({ token: match?.[1] ?? "", value: (match?.[2] ?? "").trim() });
    } else if (/^\s/.test(line) && above === "trailer") {
      const last = trailers.at(-1);
      if (last !== undefined) last.value = `${last.value} ${line.trim()}`.trim();
    } else {
      if (!/^\s/.test(line)) above = "other";
      otherLines += 1;
    }
  }
  if (otherLines > 0 && !(hasOwn && trailerLines * 3 >= otherLines)) return [];
  return trailers.filter(({ token }) => token !== "");
}

const SESSION_TOKEN = "copilot-session";
/** What a client's id may be. No colon: the keys that the gateway makes itself (`history:…`) have one, and nobody may name those. */
const SESSION_ID = /^[A-Za-z0-9._-]{1,128}$/;
const MAX_SESSIONS = 16;

/**
 * The client session ids that `Copilot-Session` trailers name (the Copilot CLI and hooks write them; so can anybody): distinct, in order, at
 * most 16 (a squash collects several). A hint only: it counts for sessions of the person who pushed.
 */
export function parseSessionTrailers(message: string): string[] {
  const ids = parseTrailers(message)
    .filter(({ token, value }) => token.toLowerCase() === SESSION_TOKEN && SESSION_ID.test(value))
    .map(({ value }) => value);
  return [...new Set(ids)].slice(0, MAX_SESSIONS);
}
