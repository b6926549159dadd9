/** Two texts, line by line: what an edit takes away, what it adds, and what it leaves. Pure. */

export interface ChangedLine {
  readonly kind: "add" | "del" | "context";
  readonly text: string;
}

/** Beyond this many pairs of lines the middle is shown as all taken away, then all added: the table would cost more than it tells. */
const MAX_PAIRS = 250_000;

/** @returns the shortest edit by lines (longest common subsequence), after the common beginning and end are taken off */
export function diffLines(before: readonly string[], after: readonly string[]): readonly ChangedLine[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  while (
    end < before.length - start &&
    end < after.length - start &&
    before[before.length - 1 - end] === after[after.length - 1 - end]
  ) {
    end += 1;
  }
  const context = (lines: readonly string[]): readonly ChangedLine[] =>
    lines.map((text) => ({ kind: "context", text }));
  return [
    ...context(before.slice(0, start)),
    ...diffMiddle(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...context(before.slice(before.length - end)),
  ];
}

function diffMiddle(before: readonly string[], after: readonly string[]): readonly ChangedLine[] {
  const gone = (text: string): ChangedLine => ({ kind: "del", text });
  const added = (text: string): ChangedLine => ({ kind: "add", text });
  const [rows, columns] = [before.length, after.length];
  if (rows === 0 || columns === 0 || rows * columns > MAX_PAIRS) return [...before.map(gone), ...after.map(added)];

  // common[i][j]: the length of the longest common subsequence of before[i…] and after[j…].
  const width = columns + 1;
  const common = new Uint32Array((rows + 1) * width);
  const at = (row: number, column: number): number => common[row * width + column] ?? 0;
  for (let row = rows - 1; row >= 0; row -= 1) {
    for (let column = columns - 1; column >= 0; column -= 1) {
      common[row * width + column] =
        before[row] === after[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const lines: ChangedLine[] = [];
  let [row, column] = [0, 0];
  while (row < rows || column < columns) {
    const [old, now] = [before[row] ?? "", after[column] ?? ""];
    if (row < rows && column < columns && old === now) {
      lines.push({ kind: "context", text: old });
      row += 1;
      column += 1;
    } else if (column >= columns || (row < rows && at(row + 1, column) >= at(row, column + 1))) {
      lines.push(gone(old));
      row += 1;
    } else {
      lines.push(added(now));
      column += 1;
    }
  }
  return lines;
}
