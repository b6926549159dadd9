/** A tool call and its result. */
import { Masked, type Sightings } from "../masked.tsx";
import type { AnswerBlock } from "./replay-model.ts";
import type { ChangedLine } from "./line-diff.ts";
import type { FileChange } from "./tool-call.ts";
import { Rest } from "./rest.tsx";

const SIGNS: Record<ChangedLine["kind"], string> = { add: "+", del: "−", context: " " };
const WORDS: Record<FileChange["kind"], string> = { create: "new file", edit: "edited", delete: "deleted" };
/** Lines of one file that are shown; and how many of them without being asked for. */
const MAX_LINES = 800;
const OPEN_LINES = 60;
/** Unchanged lines around a change. */
const AROUND = 3;

const countOf = (lines: readonly ChangedLine[], kind: ChangedLine["kind"]): number =>
  lines.filter((line) => line.kind === kind).length;

/** Far from any change, unchanged lines are left out: null stands for a gap. */
function nearChanges(lines: readonly ChangedLine[]): readonly (ChangedLine | null)[] {
  const near = lines.map((line) => line.kind !== "context");
  for (const [index, line] of lines.entries()) {
    if (line.kind === "context") continue;
    for (let at = Math.max(0, index - AROUND); at <= Math.min(lines.length - 1, index + AROUND); at += 1)
      near[at] = true;
  }
  const shown: (ChangedLine | null)[] = [];
  for (const [index, line] of lines.entries()) {
    if (near[index] === true) shown.push(line);
    else if (shown.at(-1) !== null) shown.push(null);
  }
  return shown;
}

const Change = ({ file, sightings }: { file: FileChange; sightings: Sightings }) => {
  const lines = nearChanges(file.lines);
  const [added, removed] = [countOf(file.lines, "add"), countOf(file.lines, "del")];
  return (
    <details class="change" open={lines.length <= OPEN_LINES}>
      <summary>
        <span class="path">{file.path ?? "a file that the call does not name"}</span>
        <span class="count">
          {file.kind !== "edit" && <span class="soft">{WORDS[file.kind]} </span>}
          {added > 0 && <span class="plus">+{added}</span>} {removed > 0 && <span class="minus">−{removed}</span>}
        </span>
      </summary>
      <div class="lines" role="group" aria-label={`Changes to ${file.path ?? "a file"}`}>
        {lines.slice(0, MAX_LINES).map((line) =>
          line === null ? (
            <div class="gap">⋯</div>
          ) : (
            <div class={line.kind}>
              <span class="sign">{SIGNS[line.kind]}</span>
              <span class="code">
                <Masked text={line.text} sightings={sightings} />
              </span>
            </div>
          ),
        )}
        {lines.length > MAX_LINES && <div class="gap">{lines.length - MAX_LINES} more lines</div>}
      </div>
    </details>
  );
};

type ToolBlock = Extract<AnswerBlock, { kind: "tool" }>;

const Call = ({ block, sightings }: { block: ToolBlock; sightings: Sightings }) => {
  const { call } = block;
  switch (call.kind) {
    case "changes":
      return (
        <>
          {call.files.map((file) => (
            <Change file={file} sightings={sightings} />
          ))}
        </>
      );
    case "command":
      return (
        <pre class="terminal">
          <code>
            <span class="sign" aria-hidden="true">
              ${" "}
            </span>
            <Masked text={call.command} sightings={sightings} />
          </code>
        </pre>
      );
    case "other":
    default:
      return call.text.length <= 400 ? (
        <pre class="arguments">
          <Masked text={call.text} sightings={sightings} />
        </pre>
      ) : (
        <details class="folded">
          <summary>Arguments</summary>
          <pre class="arguments">
            <Masked text={call.text} sightings={sightings} />
          </pre>
        </details>
      );
  }
};

const aboutOf = ({ call }: ToolBlock): string | null => {
  if (call.kind === "other") return call.about;
  if (call.kind === "command") return call.purpose;
  return call.files.length === 1 ? null : `${call.files.length} files`;
};

/** The beginning of a result, to tell whether it is worth opening. */
const preview = (text: string): string => text.trimStart().split("\n", 1)[0]?.slice(0, 120) ?? "";

const characters = (length: number): string => `${length.toLocaleString("en")} character${length === 1 ? "" : "s"}`;

export const ToolView = (props: {
  block: ToolBlock;
  sightings: Sightings;
  rawUrl: (exchangeId: string) => string;
  exchangeId: string;
  resultAt: number | undefined;
}) => {
  const { block, sightings } = props;
  const about = aboutOf(block);
  return (
    <div class="tool">
      <div class="head">
        <span class="name">{block.name === "" ? "a tool without a name" : block.name}</span>
        {about !== null && <span class="about">{about.slice(0, 200)}</span>}
      </div>
      <Call block={block} sightings={sightings} />
      {block.isCut && <Rest length={block.length} href={props.rawUrl(props.exchangeId)} />}
      {block.result === null ? (
        <p class="no-result soft">no result on record</p>
      ) : (
        <details class="result" data-at={props.resultAt}>
          <summary>
            <span class="label">Result</span> <span class="preview">{preview(block.result.text.text)}</span>
            <span class="soft size">{characters(block.result.text.length)}</span>
          </summary>
          <pre>
            <Masked text={block.result.text.text} sightings={sightings} />
          </pre>
          {block.result.text.text.length < block.result.text.length && (
            <Rest length={block.result.text.length} href={props.rawUrl(block.result.exchangeId)} />
          )}
        </details>
      )}
    </div>
  );
};
