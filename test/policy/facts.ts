import type { Finding } from "../../src/model/finding.ts";
import type { CommitFacts, NewFile, PushFacts, RefFacts } from "../../src/model/push-facts.ts";
import { pushPolicySchema } from "../../src/config/schema.ts";
import type { PushPolicy } from "../../src/policy/schema.ts";

const OLD = "1".repeat(40);
const NEW = "2".repeat(40);
const ZERO = "0".repeat(40);

/** One ref of a push; `force` is an update that drops commits. */
export function refFacts(ref: string, how: "create" | "update" | "force" | "delete" = "update"): RefFacts {
  return {
    update: { ref, oldOid: how === "create" ? ZERO : OLD, newOid: how === "delete" ? ZERO : NEW },
    kind: how === "force" ? "update" : how,
    forced: how === "force",
    target: how === "delete" ? null : "commit",
    commits: [],
    paths: [],
    files: [],
    findings: [],
  };
}

/** A commit of Ada's, as she would push it. */
export const commit = (other: Partial<CommitFacts> = {}): CommitFacts => ({
  oid: NEW,
  parents: [OLD],
  authorName: "Ada",
  authorEmail: "ada@example.com",
  authoredAt: "2026-01-31T12:00:00.000Z",
  committerName: "Ada",
  committerEmail: "ada@example.com",
  committedAt: "2026-01-31T12:00:00.000Z",
  message: "Say hello\n",
  signature: null,
  ...other,
});

export const file = (path: string, other: Partial<NewFile> = {}): NewFile => ({
  oid: NEW,
  path,
  mode: "100644",
  bytes: 1,
  ...other,
});

export const finding = (severity: Finding["severity"] = "block"): Finding => ({
  rule: "aws-access-key",
  description: "AWS access key",
  severity,
  source: "file",
  oid: NEW,
  path: "a.env",
  line: 1,
  column: 1,
  endColumn: 20,
  fingerprint: "00",
  known: false,
  allowed: null,
  baseline: null,
});

export const facts = (refs: readonly RefFacts[], other: Partial<PushFacts> = {}): PushFacts => ({
  principal: {
    id: "p",
    issuer: "sallyport",
    subject: "ada",
    email: "ada@example.com",
    kind: "person",
    groups: [],
    audiences: ["git"],
  },
  connection: "code",
  repository: "code/team/app",
  refs,
  pushOptions: [],
  commits: [],
  findings: [],
  packBytes: 0,
  ...other,
});

/** An entry as the configuration would read it. */
export const policy = (entry: object = {}): PushPolicy =>
  pushPolicySchema.parse({ repositories: ["code/**"], ...entry });
