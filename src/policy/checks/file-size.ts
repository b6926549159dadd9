import { formatByteSize } from "../../model/byte-size.ts";
import type { Check } from "../check.ts";
import { nameCommits } from "../name-commits.ts";

/** Of every file that a new commit puts somewhere, also one that a later commit takes away: its bytes stay in the history. */
export const fileSize: Check = {
  name: "file-size",
  judge: ({ policy }, ref) => {
    const { maxBytes } = policy.files;
    if (maxBytes === null) return [];
    const large = ref.files.filter(({ bytes }) => bytes !== null && bytes > maxBytes);
    if (large.length === 0) return [];
    const what = large.length === 1 ? "a file" : `${large.length} files`;
    return [
      {
        kind: "reject",
        reason: `${nameCommits(large.map(({ oid }) => oid))}: ${what} larger than ${formatByteSize(maxBytes)}; take it out of every commit, or keep it in Git LFS`,
      },
    ];
  },
};
