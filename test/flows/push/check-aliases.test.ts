import { describe, expect, it } from "vitest";
import { checkAliases } from "../../../src/flows/push/check-aliases.ts";
import type { Advertisement } from "../../../src/git/advertisement.ts";
import type { PushRequest } from "../../../src/git/push-exchange.ts";
import type { GitUpstream } from "../../../src/git/upstream.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);
const C = "c".repeat(40);
const ZERO = "0".repeat(40);
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A push of one ref, to an upstream whose symbolic refs are these; null: one that cannot be asked. */
function check(
  update: { readonly ref: string; readonly oldOid: string },
  refs: Readonly<Record<string, string>>,
  symrefs: Readonly<Record<string, string>> | null,
): Promise<void> {
  const request = {
    repository: "code/app",
    upstreamPath: "app.git",
    head: { updates: [{ ...update, newOid: C }] },
    clientHeaders: {},
    signal: new AbortController().signal,
  } as unknown as PushRequest;
  const upstream = {
    symrefs: () => Promise.resolve(symrefs === null ? null : new Map(Object.entries(symrefs))),
  } as unknown as GitUpstream;
  const advertised: Advertisement = {
    refs: new Map(Object.entries(refs)),
    peeled: new Map(),
    capabilities: [],
    symrefs: new Map(),
    objectFormat: "sha1",
  };
  return checkAliases({ upstream, log }, request, advertised);
}

const x = "refs/heads/x";
const main = "refs/heads/main";

describe("an upstream that tells its symbolic refs", () => {
  it("takes a push to a ref beside another one", async () => {
    await expect(check({ ref: x, oldOid: A }, { [x]: A, [main]: A }, {})).resolves.toBeUndefined();
  });

  it.each([A, B, ZERO])("takes none to another name for one, from %s", async (oldOid) => {
    await expect(check({ ref: x, oldOid }, { [x]: A, [main]: A }, { [x]: main })).rejects.toMatchObject({
      code: "forbidden",
      message: `${x} stands for ${main} at the upstream: push to ${main} instead`,
    });
  });
});

describe("an upstream that does not tell them", () => {
  it("takes no push to what could be another name", async () => {
    await expect(check({ ref: x, oldOid: A }, { HEAD: A, [main]: A, [x]: A }, null)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining(`${x} stands where ${main} does`),
    });
  });

  it.each([
    ["a ref that stands alone", { ref: x, oldOid: B }, { [main]: A, [x]: B }],
    ["a new ref", { ref: x, oldOid: ZERO }, { HEAD: A, [main]: A }],
    ["a ref that only HEAD stands for", { ref: main, oldOid: A }, { HEAD: A, [main]: A, [x]: B }],
  ])("takes a push to %s", async (_what, update, refs) => {
    await expect(check(update, refs, null)).resolves.toBeUndefined();
  });
});
