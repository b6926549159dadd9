import type { RefDiffRecord } from "../../store/push-queries.ts";
import { Masked, NO_SIGHTINGS } from "./masked.tsx";
import { parseDiff, type DiffFile, type DiffLine } from "./parse-diff.ts";

const SIGNS: Record<DiffLine["kind"], string> = { add: "+", del: "-", context: " ", meta: "" };

const Line = ({ line }: { line: DiffLine }) => (
  <tr class={line.kind}>
    <td class="n">{line.oldLine ?? ""}</td>
    <td class="n">{line.newLine ?? ""}</td>
    <td class="t">
      <Masked text={`${SIGNS[line.kind]}${line.text}`} sightings={NO_SIGHTINGS} />
    </td>
  </tr>
);

/** `a/x b/x` → `x`; git's own words where the two differ. */
const fileName = (title: string): string => {
  const half = title.slice(2, (title.length - 1) / 2);
  return title === `a/${half} b/${half}` ? half : title;
};

const File = ({ file, isOpen }: { file: DiffFile; isOpen: boolean }) => (
  <details class="file" open={isOpen}>
    <summary>
      <span class="count">
        <span class="plus">+{file.added}</span> <span class="minus">−{file.removed}</span>
      </span>
      {fileName(file.title)}
    </summary>
    <table class="diff">
      <tbody>
        {file.meta.map((text) => (
          <tr class="meta">
            <td class="t" colspan={3}>
              {text}
            </td>
          </tr>
        ))}
        {file.hunks.map((hunk) => (
          <>
            <tr class="hunk">
              <td class="t" colspan={3}>
                {hunk.header}
              </td>
            </tr>
            {hunk.lines.map((line) => (
              <Line line={line} />
            ))}
          </>
        ))}
      </tbody>
    </table>
  </details>
);

/** So many lines stand open; the files after that are there too, folded. */
const OPEN_LINES = 3_000;

/** What a ref's whole old..new changes. */
export const Diff = ({ diff }: { diff: RefDiffRecord }) => {
  let shown = 0;
  return (
    <section>
      <h2>
        Changes to <code>{diff.ref}</code>
      </h2>
      {diff.truncated && (
        <div class="note warn">
          The diff is larger than what the gateway keeps: its end is missing here. The whole push was inspected for
          secrets all the same; fetch the commits to read the rest before you decide.
        </div>
      )}
      <div class="sheet">
        {diff.diff.trim() === "" ? (
          <div class="empty">No textual change.</div>
        ) : (
          parseDiff(diff.diff).map((file) => {
            const isOpen = shown < OPEN_LINES;
            shown += file.added + file.removed;
            return <File file={file} isOpen={isOpen} />;
          })
        )}
      </div>
    </section>
  );
};
