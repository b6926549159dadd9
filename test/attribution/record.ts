import { eq } from "drizzle-orm";
import type { Database } from "../../src/store/database.ts";
import { newId } from "../../src/model/id.ts";
import { insertPush } from "../../src/store/push-record.ts";
import { exchanges, principals, pushes, sessions, type PushStatus } from "../../src/store/schema.ts";

export const at = (minute: number): Date => new Date(Date.UTC(2026, 0, 1, 12, minute));

const DAY = 24 * 60;
export const days = (count: number): number => count * DAY;

export const oid = (digit: string): string => digit.repeat(40);

export async function addPerson(db: Database, email: string): Promise<string> {
  const id = newId();
  await db.insert(principals).values({ id, issuer: "sallyport", subject: email, email, kind: "person" });
  return id;
}

export async function addSession(
  db: Database,
  principalId: string,
  options: { readonly clientKey?: string; readonly minute?: number; readonly connection?: string } = {},
): Promise<string> {
  const id = newId();
  const startedAt = at(options.minute ?? 0);
  await db.insert(sessions).values({
    id,
    principalId,
    connection: options.connection ?? "copilot",
    client: "copilot-cli",
    clientKey: options.clientKey ?? id,
    startedAt,
    lastActiveAt: startedAt,
  });
  return id;
}

export async function addExchange(
  db: Database,
  principalId: string,
  sessionId: string,
  minute: number,
): Promise<string> {
  const id = newId();
  await db.insert(exchanges).values({
    id,
    sessionId,
    principalId,
    connection: "copilot",
    format: "responses",
    method: "POST",
    path: "/responses",
    userAgent: "test",
    status: "complete",
    startedAt: at(minute),
    finishedAt: at(minute),
  });
  return id;
}

export interface PushedCommit {
  readonly oid: string;
  readonly message?: string;
  /** Added lines by path, each file's first line being number 1. */
  readonly files?: Readonly<Record<string, readonly string[]>>;
}

export async function addPush(
  db: Database,
  principalId: string,
  options: {
    readonly minute: number;
    readonly commits: readonly PushedCommit[];
    readonly status?: PushStatus;
    readonly repository?: string;
  },
): Promise<string> {
  const id = newId();
  const status = options.status ?? "delivered";
  // The author says what they like: neither these names nor these dates may matter.
  const claimed = { name: "Somebody Else", email: "else@example.com", date: "1999-01-01T00:00:00Z" };
  await db.transaction((tx) =>
    insertPush(tx, {
      id,
      partOf: null,
      principalId,
      connection: "code",
      repository: options.repository ?? "code/team/app",
      upstreamPath: "team/app.git",
      status,
      policyVersion: "0".repeat(64),
      binding: id,
      certificate: null,
      objectFormat: "sha1",
      head: Buffer.alloc(0),
      pushOptions: [],
      packBlob: null,
      packBytes: 0,
      linesTruncated: false,
      userAgent: "git/2.39.5",
      receivedAt: at(options.minute),
      finishedAt: null,
      leaseUntil: null,
      error: null,
      refs: [],
      findings: [],
      commits: options.commits.map((commit) => ({
        oid: commit.oid,
        parents: [],
        authorName: claimed.name,
        authorEmail: claimed.email,
        authoredAt: claimed.date,
        committerName: claimed.name,
        committerEmail: claimed.email,
        committedAt: claimed.date,
        message: commit.message ?? "Change something\n",
      })),
      hunks: options.commits.flatMap((commit) =>
        Object.entries(commit.files ?? {}).map(([path, lines]) => ({
          commit: commit.oid,
          path,
          startLine: 1,
          text: lines.join("\n"),
        })),
      ),
      diffs: [],
    }),
  );
  return id;
}

export const setPushStatus = async (db: Database, id: string, status: PushStatus): Promise<void> => {
  await db.update(pushes).set({ status }).where(eq(pushes.id, id));
};
