/** How the demo looks: plain text with room around it, in colours where somebody watches. */
import type { Writable } from "node:stream";
import { escapeUnprintable } from "../../model/printable.ts";
import { StoryError } from "./story-error.ts";

/** ANSI "select graphic rendition" codes (ECMA-48 §8.3.117). */
const STYLES = {
  heading: "1;36",
  command: "1",
  quiet: "2",
  good: "32",
  bad: "31",
  copilot: "35",
  remote: "33",
} as const;
export type Style = keyof typeof STYLES;

const WIDTH = 96;
const INDENT = "    ";

export interface Narrator {
  title(text: string): void;
  /** A new chapter; they are numbered. */
  step(title: string): void;
  /** What the storyteller says; lines are kept as they are. */
  say(...lines: readonly string[]): void;
  /** A command line, just before it is run. */
  command(who: string, line: string): void;
  /** A request to the gateway that is no command, just before it is sent. */
  request(who: string, line: string): void;
  /** Lines that somebody else wrote, shown as they came; what a terminal would obey is made visible. */
  output(text: string, style?: Style): void;
  /** The same for text that arrives piece by piece, in the middle of lines. */
  startOutput(style?: Style): { write(text: string): void; end(): void };
  table(rows: readonly (readonly [string, string, string?])[]): void;
  /**
   * Something that the story promised, and that has been looked up: told with a tick when it holds.
   * @param came what there is instead; only read when it does not hold
   * @throws StoryError when it does not
   */
  verify(told: string, holds: boolean, came: () => string): void;
  paint(style: Style, text: string): string;
  /** An empty line, if there is none yet. */
  blank(): void;
}

export function createNarrator(out: Writable, options: { readonly colours: boolean }): Narrator {
  let steps = 0;
  let isAfterBlank = true;
  const paint = (style: Style, text: string): string =>
    options.colours && text !== "" ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
  const line = (text: string): void => {
    isAfterBlank = text === "";
    out.write(`${text}\n`);
  };
  const blank = (): void => {
    if (!isAfterBlank) line("");
  };
  const quote = (text: string, style: Style | undefined): string => {
    const shown = escapeUnprintable(text);
    return style === undefined ? shown : paint(style, shown);
  };
  const act = (who: string, sign: string, text: string): void => {
    blank();
    line(`  ${paint("quiet", who)} ${paint("command", `${sign} ${escapeUnprintable(text)}`)}`);
  };

  return {
    title: (text) => {
      out.write("\n");
      line(paint("heading", text));
    },
    step: (title) => {
      steps += 1;
      const head = ` ${steps}  ${title} `;
      blank();
      line(paint("heading", `──${head}${"─".repeat(Math.max(3, WIDTH - 2 - head.length))}`));
      blank();
    },
    say: (...lines) => {
      for (const text of lines) {
        if (text === "") blank();
        else line(`  ${text}`);
      }
    },
    command: (who, text) => act(who, "$", text),
    request: (who, text) => act(who, "→", text),
    output: (text, style) => {
      for (const one of text.replace(/\n$/, "").split("\n")) line(`${INDENT}${quote(one.trimEnd(), style)}`.trimEnd());
    },
    startOutput: (style) => {
      let atStart = true;
      return {
        write: (text) => {
          for (const piece of text.split(/(?<=\n)/)) {
            if (atStart && piece !== "\n") out.write(INDENT);
            atStart = piece.endsWith("\n");
            out.write(atStart ? `${quote(piece.slice(0, -1), style)}\n` : quote(piece, style));
          }
        },
        end: () => {
          if (!atStart) out.write("\n");
          atStart = true;
          isAfterBlank = false;
        },
      };
    },
    table: (rows) => {
      const width = (column: 0 | 1): number => Math.max(...rows.map((row) => row[column].length));
      for (const [name, value, note = ""] of rows) {
        const cells = `${name.padEnd(width(0))}   ${note === "" ? value : value.padEnd(width(1))}`;
        line(`${INDENT}${cells}${note === "" ? "" : `   ${paint("quiet", note)}`}`);
      }
    },
    verify: (told, holds, came) => {
      if (!holds) throw new StoryError(told, came());
      line(`  ${paint("good", "✓")} ${told}`);
    },
    paint,
    blank,
  };
}
