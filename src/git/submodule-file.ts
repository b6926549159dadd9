/**
 * What a `.gitmodules` must not say (git fsck: gitmodulesUrl, gitmodulesPath, gitmodulesName, gitmodulesUpdate). An older git, and
 * many a tool that clones, hands these values to a command line: what looks like an option there runs a program on the machine of
 * whoever clones.
 */
const LINE =
  /^(?:\[[^\]"]*(?:"(?<name>(?:[^"\\]|\\.)*)")?\s*\])?\s*(?:(?<key>[A-Za-z][A-Za-z0-9-]*)\s*=(?<value>[^]*))?$/;

/** @param text of the file @returns what is wrong with it, without its words; null where nothing is */
export function findModulesFault(text: string): string | null {
  const lines = text.replace(/^\ufeff/, "").replace(/\\\r?\n/g, "");
  for (const line of lines.split("\n")) {
    const { name, key, value = "" } = LINE.exec(line.trim())?.groups ?? {};
    if (name !== undefined && unquote(name).split(/[/\\]/).includes(".."))
      return "the name of a submodule leads upwards";
    const said = unquote(value).trim();
    const fault = faultOf(key?.toLowerCase(), said);
    if (fault !== null) return fault;
  }
  return null;
}

function faultOf(key: string | undefined, value: string): string | null {
  const looksLikeOption = value.startsWith("-");
  if (key === "path") return looksLikeOption ? "the path of a submodule begins with “-”, like an option" : null;
  if (key === "update") return value.startsWith("!") ? "a submodule is updated by a command" : null;
  if (key !== "url") return null;
  if (looksLikeOption) return "the address of a submodule begins with “-”, like an option";
  if (/^(?:ext|fd)::/i.test(value)) return "the address of a submodule is a command";
  return /[\n\r]/.test(value) ? "the address of a submodule has more than one line" : null;
}

/** A value as git-config takes it: quotes off, escapes replaced. */
const unquote = (value: string): string =>
  value.replace(/\\(.)|"/g, (_, escaped: string | undefined) =>
    escaped === undefined ? "" : escaped === "n" ? "\n" : escaped === "t" ? "\t" : escaped,
  );
