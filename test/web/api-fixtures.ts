/** People, pushes, holds and sessions for the tests of API and pages, written with the store's own functions. */
import { createApprovalFlow } from "../../src/flows/approval.ts";
import { createIdentity, type Identity } from "../../src/identity/identity.ts";
import { hashToken, mintToken } from "../../src/identity/tokens.ts";
import { newId } from "../../src/model/id.ts";
import type { Logger } from "../../src/model/log.ts";
import { GATEWAY_ISSUER, type Audience } from "../../src/model/principal.ts";
import { insertApproval, type Requirement } from "../../src/store/approvals.ts";
import type { Database } from "../../src/store/database.ts";
import { upsertPrincipal } from "../../src/store/principals.ts";
import { insertPush } from "../../src/store/push-record.ts";
import type { NewPush } from "../../src/store/pushes.ts";
import { findTokenByHash, insertToken, touchToken } from "../../src/store/tokens.ts";
import type { ApiDependencies } from "../../src/web/api.ts";

export const silentLog: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export const PUBLIC_URL = "http://gateway.example";
export const OLD = "a".repeat(40);
export const NEW = "b".repeat(40);

export interface Person {
  readonly id: string;
  readonly email: string;
  readonly token: string;
  readonly headers: Readonly<Record<string, string>>;
}

export async function addPerson(
  db: Database,
  email: string,
  options: { readonly groups?: readonly string[]; readonly audiences?: readonly Audience[] } = {},
): Promise<Person> {
  const { id } = await upsertPrincipal(db, { issuer: GATEWAY_ISSUER, subject: email, email, kind: "person" });
  const token = mintToken();
  await insertToken(db, {
    principalId: id,
    name: "test",
    hash: hashToken(token),
    groups: options.groups ?? [],
    audiences: options.audiences ?? ["api"],
    expiresAt: null,
  });
  return { id, email, token, headers: { authorization: `Bearer ${token}` } };
}

export const commit = (changes: Partial<NewPush["commits"][number]> = {}): NewPush["commits"][number] => ({
  oid: NEW,
  parents: [OLD],
  authorName: "Alice",
  authorEmail: "alice@example.com",
  authoredAt: "2026-01-01T00:00:00Z",
  committerName: "Alice",
  committerEmail: "alice@example.com",
  committedAt: "2026-01-01T00:00:00Z",
  message: "Add the thing\n\nBecause.",
  ...changes,
});

export async function addPush(
  db: Database,
  pusher: { readonly id: string },
  changes: Partial<NewPush> = {},
): Promise<string> {
  const id = changes.id ?? newId();
  const repository = changes.repository ?? "code/team/app";
  const push: NewPush = {
    id,
    partOf: null,
    principalId: pusher.id,
    connection: repository.split("/")[0] ?? "",
    repository,
    upstreamPath: `${repository.split("/").slice(1).join("/")}.git`,
    status: "delivered",
    policyVersion: "0".repeat(64),
    binding: id,
    certificate: null,
    objectFormat: "sha1",
    head: Buffer.alloc(0),
    pushOptions: [],
    packBlob: null,
    packBytes: 1_000,
    linesTruncated: false,
    userAgent: "git/2.39.5",
    receivedAt: new Date(),
    finishedAt: null,
    leaseUntil: null,
    error: null,
    refs: [{ ref: "refs/heads/main", oldOid: OLD, newOid: NEW, forced: false, verdict: "allow", reason: null }],
    findings: [],
    commits: [commit()],
    hunks: [],
    diffs: [],
    ...changes,
  };
  await db.transaction((tx) => insertPush(tx, push));
  return id;
}

/** A push that waits. @returns the approval's id and the push's */
export async function addHold(
  db: Database,
  pusher: { readonly id: string },
  options: {
    readonly push?: Partial<NewPush>;
    readonly requirements?: readonly Requirement[];
    readonly expiresAt?: Date;
  } = {},
): Promise<{ readonly approvalId: string; readonly pushId: string }> {
  const pushId = await addPush(db, pusher, {
    status: "held",
    refs: [
      {
        ref: "refs/heads/main",
        oldOid: OLD,
        newOid: NEW,
        forced: false,
        verdict: "hold",
        reason: "refs/heads/main is protected",
      },
    ],
    ...options.push,
  });
  const approvalId = newId();
  const requestedAt = new Date();
  await db.transaction((tx) =>
    insertApproval(tx, {
      id: approvalId,
      pushId,
      requirements: options.requirements ?? [
        { approvers: ["release"], approvals: 1, reason: "refs/heads/main is protected" },
      ],
      requestedAt,
      expiresAt: options.expiresAt ?? new Date(requestedAt.getTime() + 3_600_000),
    }),
  );
  return { approvalId, pushId };
}

export const testIdentity = (db: Database) =>
  createIdentity({
    findTokenByHash: (hash) => findTokenByHash(db, hash),
    touchToken: (id, now) => touchToken(db, id, now),
  });

/** The dependencies of the API on real parts; auditors are the group `audit`, and everybody reads `code/team/**`. */
export function apiDependencies(db: Database): ApiDependencies & { readonly identity: Identity } {
  const now = () => new Date();
  const flow = createApprovalFlow({
    db,
    blobs: { delete: async () => {} },
    announce: async () => {},
    mask: (text) => text,
    policyVersion: "0".repeat(64),
    signIns: null,
    now,
  });
  return {
    db,
    publicUrl: PUBLIC_URL,
    access: {
      isAuditor: (principal) => principal.groups.includes("audit"),
      mayReadRepository: (_principal, repository) => repository.startsWith("code/team/"),
    },
    identity: testIdentity(db),
    decide: (request) => flow.decide(request),
    isOperator: (principal) => principal.groups.includes("operators"),
    mask: (text) => text.replaceAll("hunter2", "⟦password⟧"),
    version: "0.0.0-test",
    log: silentLog,
    now,
  };
}
