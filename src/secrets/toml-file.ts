/** What a TOML file says, and in which line: the parser tells values without their lines, and of any kind. */
import { TomlDate, type TomlTable, type TomlValue } from "smol-toml";

/** Where things stand. */
export class TomlPlaces {
  private readonly lines: readonly string[];

  constructor(text: string) {
    this.lines = text.split("\n");
  }

  /** @returns the line of the table's header, the `index`th of that name; 1 if it is written in another way. */
  ofTable(name: string, index: number): number {
    return this.after(name, 1, index);
  }

  after(name: string, from: number, index: number): number {
    let left = index;
    for (let at = from - 1; at < this.lines.length; at++) {
      const header = /^\s*\[\[?\s*([\w.-]+)\s*\]/.exec(this.lines[at]!)?.[1];
      if (header === name && left-- === 0) return at + 1;
    }
    return from;
  }

  /** @returns the line at or behind `from` that assigns to the key. */
  ofKey(key: string, from: number): number {
    for (let at = from - 1; at < this.lines.length; at++) {
      const line = this.lines[at]!.trimStart();
      if (line.startsWith(key) && /^\s*[=\].]/.test(line.slice(key.length))) return at + 1;
      if (line.startsWith("[") && line.replace(/[\s[\]]/g, "").endsWith(key)) return at + 1;
    }
    return from;
  }
}

export const isString = (value: TomlValue): value is string => typeof value === "string";
export const isNumber = (value: TomlValue | undefined): value is number => typeof value === "number";
export const isTable = (value: TomlValue | undefined): value is TomlTable =>
  typeof value === "object" && !Array.isArray(value) && !(value instanceof TomlDate);
export const tablesIn = (value: TomlValue | undefined): readonly TomlTable[] =>
  Array.isArray(value) ? value.filter(isTable) : [];
export const stringsIn = (value: TomlValue | undefined): readonly string[] =>
  Array.isArray(value) ? value.filter(isString) : [];
