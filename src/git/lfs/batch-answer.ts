/** What an upstream answers to `objects/batch` (git-lfs, docs/api/batch.md, “Successful Responses”). Pure. */
import { z } from "zod";
import { err, ok, type Result } from "../../errors.ts";
import { escapeLine } from "../../model/printable.ts";
import { lfsOidSchema, lfsSizeSchema, type LfsBatchRequest, type LfsObject } from "./batch-request.ts";
import { parseStorageHeaders, parseStorageUrl, type StorageAction } from "./storage-action.ts";

export type LfsActionName = "upload" | "download" | "verify";

export type LfsObjectAnswer = LfsObject &
  (
    | { readonly kind: "error"; readonly code: number; readonly message: string }
    /** No actions: to an upload this means that the upstream has the object. */
    | {
        readonly kind: "actions";
        /** The actions need no other credential than their headers. */
        readonly authenticated: boolean;
        readonly actions: Readonly<Partial<Record<LfsActionName, StorageAction>>>;
      }
  );

const actionSchema = z.object({
  href: z.string(),
  header: z.record(z.string(), z.string()).nullish(),
  expires_in: z.number().nullish(),
  expires_at: z.string().nullish(),
});

const answerSchema = z.object({
  transfer: z.string().nullish(),
  objects: z.array(
    z.object({
      oid: lfsOidSchema,
      size: lfsSizeSchema.nullish(),
      authenticated: z.boolean().nullish(),
      actions: z
        .object({ upload: actionSchema.nullish(), download: actionSchema.nullish(), verify: actionSchema.nullish() })
        .nullish(),
      error: z.object({ code: z.number().nullish(), message: z.string().nullish() }).nullish(),
    }),
  ),
  hash_algo: z.string().nullish(),
});

type ActionInput = z.infer<typeof actionSchema>;
type ObjectInput = z.infer<typeof answerSchema>["objects"][number];

/**
 * One answer for each object that was asked for, in that order; what was not asked for is left out.
 * @param now milliseconds since the epoch
 * @returns why this is no such answer, as the end of a sentence
 */
export function parseLfsBatchAnswer(
  value: unknown,
  request: LfsBatchRequest,
  now: number,
): Result<readonly LfsObjectAnswer[], string> {
  const { data } = answerSchema.safeParse(value);
  if (data === undefined) return err("what is no answer to a Git LFS batch");
  if ((data.transfer ?? "basic") !== "basic") return err("with another transfer than the one that was offered");
  if ((data.hash_algo ?? "sha256") !== "sha256") return err("with objects that are not named by their SHA-256");
  const byOid = new Map(data.objects.map((object) => [object.oid, object]));
  return ok(request.objects.map((asked) => answerFor(asked, byOid.get(asked.oid), request.operation, now)));
}

function answerFor(
  { oid, bytes }: LfsObject,
  given: ObjectInput | undefined,
  operation: LfsBatchRequest["operation"],
  now: number,
): LfsObjectAnswer {
  const fail = (code: number, message: string): LfsObjectAnswer => ({ kind: "error", oid, bytes, code, message });
  if (given === undefined) return fail(502, "the upstream says nothing about this object");
  if (given.error !== undefined && given.error !== null) {
    return fail(codeOf(given.error.code), escapeLine(given.error.message ?? "the upstream refuses this object", 500));
  }
  // Whatever length it was stored with: the client would take another content for the one that it asked for.
  if (typeof given.size === "number" && given.size !== bytes) {
    return fail(502, `the upstream speaks of ${given.size} bytes where the pointer says ${bytes}`);
  }
  const actions: Partial<Record<LfsActionName, StorageAction>> = {};
  for (const name of operation === "upload" ? (["upload", "verify"] as const) : (["download"] as const)) {
    const input = given.actions?.[name];
    if (input === undefined || input === null) continue;
    const action = parseAction(input, now);
    if (!action.ok) return fail(502, `the upstream cannot be used: ${action.error}`);
    actions[name] = action.value;
  }
  if (operation === "download" && actions.download === undefined) {
    return fail(502, "the upstream does not say where this object is");
  }
  return { kind: "actions", oid, bytes, authenticated: given.authenticated === true, actions };
}

/** Never 422: on that, git-lfs 3.3 lets the push go on without the object. */
function codeOf(code: number | null | undefined): number {
  if (typeof code !== "number" || !Number.isInteger(code) || code < 400 || code > 599) return 500;
  return code === 422 ? 403 : code;
}

function parseAction(input: ActionInput, now: number): Result<StorageAction, string> {
  const url = parseStorageUrl(input.href);
  if (!url.ok) return url;
  const headers = parseStorageHeaders(input.header ?? {});
  if (!headers.ok) return headers;
  return ok({ href: url.value.href, ...headers.value, expiresAt: expiryOf(input, now) });
}

/** `expires_in` counts more where both are given. Go's zero time, which some servers send, means that there is no end. */
function expiryOf({ expires_in: seconds, expires_at: at }: ActionInput, now: number): number | null {
  if (typeof seconds === "number" && seconds !== 0) return now + seconds * 1000;
  const time = Date.parse(at ?? "");
  return Number.isNaN(time) || time <= 0 ? null : time;
}
