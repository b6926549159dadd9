/**
 * Cutting a push by its verdict.
 *
 * Without `--atomic`, git expects an answer for each ref: what is allowed goes through, whatever becomes of the others. So the
 * refs of one verdict become a push of their own, with a record, a pack and an end of its own. `--atomic` and signed pushes
 * are one part: all or none.
 */
import type { BlobStore } from "../../blobs/blob-store.ts";
import { hasCapability, type PushRequestHead } from "../../git/receive-pack.ts";
import { repack } from "../../git/repack.ts";
import type { PushFacts, RefFacts } from "../../model/push-facts.ts";
import { isZeroOid } from "../../model/ref-update.ts";
import { newId } from "../../model/id.ts";
import type { Opinion, Verdict } from "../../model/verdict.ts";
import type { JudgedPush, PushPart } from "./dependencies.ts";

/** In the order in which they are dealt with: what waits comes last. */
const KINDS: readonly Opinion["kind"][] = ["reject", "allow", "hold"];

/** A push that reads as it does only as a whole: by the client's wish, or by its signature. */
const isIndivisible = (head: PushRequestHead): boolean => hasCapability(head, "atomic") || head.certificate !== null;

/** @returns one part or more; together they have every ref of the push once */
export function cutByVerdict(push: JudgedPush): readonly PushPart[] {
  const { head } = push.request;
  const { verdict } = push;
  const kinds = KINDS.filter((kind) => verdict.refs.some(({ opinion }) => opinion.kind === kind));
  if (kinds.length <= 1 || isIndivisible(head)) return [wholeOf(push)];
  const first = newId();
  return kinds.map((kind, index) => partOf(push, kind, index === 0 ? { id: first } : { id: newId(), of: first }));
}

const wholeOf = (push: JudgedPush): PushPart => ({
  push,
  id: newId(),
  partOf: null,
  isWhole: true,
  head: push.request.head,
  facts: push.reading.facts,
  hunks: push.reading.hunks,
  verdict: push.verdict,
});

function partOf(
  push: JudgedPush,
  kind: Opinion["kind"],
  { id, of = null }: { readonly id: string; readonly of?: string | null },
): PushPart {
  const { head } = push.request;
  const { facts, hunks } = push.reading;
  const refs = push.verdict.refs.filter(({ opinion }) => opinion.kind === kind);
  const names = new Set(refs.map(({ update }) => update.ref));
  const verdict: Verdict = { kind, refs, holds: kind === "hold" ? push.verdict.holds : [] };
  const own = factsOf(facts, (ref) => names.has(ref.update.ref));
  const commits = new Set(own.commits.map(({ oid }) => oid));
  return {
    push,
    id,
    partOf: of,
    isWhole: false,
    // Without `raw`: these commands are not what came, and are put together anew.
    head: { ...head, updates: head.updates.filter(({ ref }) => names.has(ref)), raw: undefined },
    facts: own,
    hunks: hunks.filter(({ commit }) => commits.has(commit)),
    verdict,
  };
}

/** What some of the refs bring. */
function factsOf(facts: PushFacts, isOf: (ref: RefFacts) => boolean): PushFacts {
  const refs = facts.refs.filter(isOf);
  const oids = new Set(refs.flatMap(({ commits }) => commits.map(({ oid }) => oid)));
  const findings = new Set(refs.flatMap((ref) => ref.findings));
  return {
    ...facts,
    refs,
    commits: facts.commits.filter(({ oid }) => oids.has(oid)),
    findings: facts.findings.filter((finding) => findings.has(finding)),
  };
}

export interface PartPack {
  /** In the blob store. */
  readonly key: string;
  readonly bytes: number;
}

/**
 * The pack that a part is delivered with, as a blob; null for one that needs none.
 * @throws GatewayError `inspection_failed`, `storage_failed`
 */
export async function packOfPart(blobs: BlobStore, part: PushPart): Promise<PartPack | null> {
  const newOids = part.head.updates.map(({ newOid }) => newOid).filter((oid) => !isZeroOid(oid));
  if (newOids.length === 0) return null;
  const blob = await blobs.create();
  try {
    for await (const chunk of repack(part.push.reading.objects, newOids)) await blob.write(chunk);
    const bytes = blob.bytesWritten;
    return { key: await blob.commit(), bytes };
  } finally {
    await blob.abort();
  }
}
