import { describe, expect, test } from "vitest";
import { standingGroups, type KnownPrincipal } from "../../src/identity/standing.ts";
import { sameIssuer } from "../../src/identity/provider-settings.ts";

const NOW = new Date("2026-03-01T12:00:00Z");
const ago = (ms: number) => new Date(NOW.getTime() - ms);
const provider = { issuer: "https://idp.example", groupsMaxAgeMs: 1_000 };

const who = (changes: Partial<KnownPrincipal>): KnownPrincipal => ({
  id: "p",
  issuer: "https://idp.example/",
  subject: "s",
  email: "a@x",
  kind: "person",
  groups: ["now"],
  groupsAt: NOW,
  ...changes,
});
const own = { issuer: "sallyport", groups: [], groupsAt: null };

describe("under a provider", () => {
  test.each([
    ["its person has what it stated last, not what a token says", who({}), ["now"]],
    ["exactly as old as may be is fresh", who({ groupsAt: ago(1_000) }), ["now"]],
    ["older is stale", who({ groupsAt: ago(1_001) }), "stale"],
    ["never stated is stale", who({ groupsAt: null }), "stale"],
    ["a person whom an operator made is nobody", who(own), "other_issuer"],
    [
      "another provider's person is nobody, by the same subject",
      who({ issuer: "https://other.example" }),
      "other_issuer",
    ],
    ["a service that an operator made has what its token says", who({ ...own, kind: "service" }), ["given"]],
    [
      "a machine account of the provider's goes by the provider",
      who({ kind: "service", groupsAt: ago(1_001) }),
      "stale",
    ],
  ] as const)("%s", (_, principal, expected) => {
    expect(standingGroups(principal, ["given"], provider, NOW)).toEqual(
      typeof expected === "string" ? { ok: false, error: expected } : { ok: true, value: expected },
    );
  });
});

test("without one, operators' people have what their tokens say, and a provider's are nobody", () => {
  expect(standingGroups(who(own), ["given"], null, NOW)).toEqual({ ok: true, value: ["given"] });
  expect(standingGroups(who({}), ["given"], null, NOW)).toEqual({ ok: false, error: "other_issuer" });
});

test.each([
  ["https://a.example", "https://a.example/", true],
  ["https://A.example", "https://a.example", true],
  ["https://a.example/x", "https://a.example/x/", false],
  ["https://a.example/x", "https://a.example/X", false],
  ["http://a.example", "https://a.example", false],
  ["sallyport", "sallyport", true],
  ["sallyport", "https://sallyport", false],
])("issuers %s and %s: %s", (a, b, same) => {
  expect(sameIssuer(a, b)).toBe(same);
});
