import type { NewFile, PushFacts } from "../../model/push-facts.ts";
import type { Opinion } from "../../model/verdict.ts";
import type { Check } from "../check.ts";
import { matchesAnyFolded } from "../match.ts";
import { nameCommits } from "../name-commits.ts";

const SYMLINK_MODE = "120000";
const SUBMODULE_MODE = "160000";

/** Paths that no file may be put at, symbolic links, submodules: in every new commit, also where a later one undoes it. */
export const fileKinds: Check = {
  name: "file-kinds",
  judge: ({ policy, facts }, ref) => {
    const { forbid, symlinks, submodules } = policy.files;
    if (forbid.length === 0 && symlinks === "allow" && submodules === "allow") return [];
    const { files } = ref;
    const matching = globsOf(facts, forbid);
    const ofMode = (mode: string): readonly NewFile[] => files.filter((file) => file.mode === mode);
    return [
      ...forbid.flatMap((glob) =>
        refuse(
          files.filter(({ path }) => matching(path).includes(glob)),
          `files like ${glob} are not taken here; take them out of every commit`,
        ),
      ),
      ...refuse(symlinks === "refuse" ? ofMode(SYMLINK_MODE) : [], "symbolic links are not taken here; put files"),
      ...refuse(submodules === "refuse" ? ofMode(SUBMODULE_MODE) : [], "submodules are not taken here; put files"),
    ];
  },
};

const refuse = (files: readonly NewFile[], why: string): readonly Opinion[] =>
  files.length === 0 ? [] : [{ kind: "reject", reason: `${nameCommits(files.map(({ oid }) => oid))}: ${why}` }];

/** The same paths come with every commit and every ref of a push. */
const known = new WeakMap<PushFacts, Map<string, readonly string[]>>();

/** Which of the globs a path matches. */
function globsOf(facts: PushFacts, globs: readonly string[]): (path: string) => readonly string[] {
  let ofPush = known.get(facts);
  if (ofPush === undefined) known.set(facts, (ofPush = new Map()));
  const answers = ofPush;
  return (path) => {
    let matching = answers.get(path);
    if (matching === undefined) answers.set(path, (matching = globs.filter((glob) => matchesAnyFolded([glob], path))));
    return matching;
  };
}
