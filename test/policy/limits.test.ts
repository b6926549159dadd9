import { expect, it } from "vitest";
import { defaultPushLimits } from "../../src/git/limits.ts";
import { DEFAULT_PUSH_HEAD_LIMITS } from "../../src/git/receive-pack.ts";
import { limitsFor } from "../../src/policy/limits.ts";
import { policy } from "./facts.ts";

const usual = { push: defaultPushLimits, head: DEFAULT_PUSH_HEAD_LIMITS };
const policies = [
  policy({ repositories: ["code/small"], limits: { packBytes: "1MB", refs: 3 } }),
  policy({ repositories: ["code/**"], limits: { objects: 7 } }),
];

it.each([
  ["code/small", { packBytes: 1_000_000 }, { commands: 3 }],
  ["code/SMALL", { packBytes: 1_000_000 }, { commands: 3 }],
  ["code/other", { objects: 7 }, {}],
  ["elsewhere/x", {}, {}],
])("are of %s the usual ones, but for %j and %j", (repository, push, head) => {
  expect(limitsFor(policies, repository, usual)).toEqual({
    push: { ...usual.push, ...push },
    head: { ...usual.head, ...head },
  });
});
