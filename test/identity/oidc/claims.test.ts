/** The claims of the providers that companies have, as they write them (fixtures/identity/). */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { readClaims, type Claims } from "../../../src/identity/oidc/claims.ts";
import type { OidcSettings } from "../../../src/identity/provider-settings.ts";
import { isNamed } from "../../../src/model/who.ts";
import { settings } from "./settings.ts";

const fixture = async (name: string): Promise<Claims> =>
  JSON.parse(await readFile(new URL(`../../../fixtures/identity/${name}.json`, import.meta.url), "utf8")) as Claims;

const read = (claims: Claims, changes: Partial<OidcSettings> = {}) => readClaims(claims, settings(changes));

describe("the providers", () => {
  test.each([
    ["okta", {}, ["Everyone", "eng", "release"]],
    ["entra", {}, ["2f3b1c52-0a8e-4f5e-9a51-6f0f2f4f5a11", "b7d8f3a0-61b5-4b0e-8df6-3f6f9b3c2e22"]],
    ["entra", { groupsClaim: "roles" }, ["Approver"]],
    ["google-workspace", { domains: { "example.com": ["eng"] } }, ["eng"]],
    ["keycloak", {}, ["/eng/backend", "/release"]],
    ["keycloak", { groupsClaim: "realm_access.roles" }, ["offline_access", "uma_authorization", "eng", "release"]],
    ["keycloak", { groupsClaim: ["resource_access", "sallyport.example.com", "roles"] }, ["approver"]],
  ] as const)("%s with %j states groups", async (name, changes, groups) => {
    expect(read(await fixture(name), changes)).toMatchObject({
      ok: true,
      value: { kind: "person", groups: { kind: "stated", groups } },
    });
  });

  test("Entra's overage is told apart from no groups, in both of its forms", async () => {
    const claims = await fixture("entra-overage");
    expect(read(claims)).toMatchObject({ value: { groups: { kind: "overage" } } });
    expect(read({ ...(await fixture("entra")), groups: undefined, hasgroups: true })).toMatchObject({
      value: { groups: { kind: "overage" } },
    });
    expect(read({ ...claims, _claim_names: { other: "src1" } })).toMatchObject({
      value: { groups: { kind: "absent" } },
    });
  });

  test("Google says nothing of groups", async () => {
    expect(read(await fixture("google-workspace"))).toMatchObject({ value: { groups: { kind: "absent" } } });
  });

  test("an account of Google's is of an organisation only where Google says so, whatever address it has", async () => {
    const domains = { "example.com": ["eng"] };
    expect(read(await fixture("google-consumer"), { domains })).toMatchObject({ ok: false });
    expect(read({ ...(await fixture("google-workspace")), hd: "evil.example" }, { domains })).toMatchObject({
      ok: false,
    });
  });

  test.each(["entra-app", "keycloak-service-account"])("%s is no person", async (name) => {
    expect(read(await fixture(name))).toMatchObject({ ok: true, value: { kind: "service" } });
  });

  test("a client's token by the book is no person either (RFC 9068)", () => {
    expect(read({ sub: "ci", client_id: "ci" })).toMatchObject({ value: { kind: "service" } });
    expect(read({ sub: "ana", client_id: "ci", azp: "ci" })).toMatchObject({ value: { kind: "person" } });
  });
});

describe("an address", () => {
  const named = (claims: Claims, changes: Partial<OidcSettings> = {}): boolean => {
    const known = read({ sub: "s", ...claims }, changes);
    if (!known.ok) throw new Error(known.error);
    return isNamed({ email: known.value.email ?? known.value.label, groups: [] }, ["user:ana@example.com"]);
  };
  const email = "ana@example.com";

  test.each([[true], ["true"], [1], ["1"]])("that is verified (%j) names the person", (email_verified) => {
    expect(named({ email, email_verified })).toBe(true);
  });

  test.each([[false], ["false"], [0], [undefined], [null], [{}], ["yes"], [[true]]])(
    "that is not (%j) names nobody",
    (email_verified) => {
      expect(named({ email, email_verified })).toBe(false);
    },
  );

  test("is verified by the claim that is configured alone", () => {
    expect(named({ email, email_verified: true }, { emailVerifiedClaim: "xms_edov" })).toBe(false);
    expect(named({ email, xms_edov: 1 }, { emailVerifiedClaim: "xms_edov" })).toBe(true);
  });

  test.each([
    { preferred_username: email },
    { name: email, email_verified: true },
    { sub: email, email_verified: true },
    { email: [email], email_verified: true },
    { email: `${email}\n`, email_verified: true },
    { email: ` ${email}`, email_verified: true },
    { email: `x@y ${email}`, email_verified: true },
  ])("is no other claim, and no other form: %j", (claims) => {
    expect(named(claims)).toBe(false);
  });
});

describe("groups", () => {
  const groups = (claims: Claims, changes: Partial<OidcSettings> = {}) => {
    const known = read({ sub: "s", ...claims }, changes);
    return known.ok && known.value.groups.kind === "stated" ? known.value.groups.groups : null;
  };

  test("what means something else in the configuration, or is no text, is none", () => {
    expect(groups({ groups: ["eng", "*", "user:root@example.com", "", 7, null, ["x"], { name: "y" }, "eng"] })).toEqual(
      ["eng"],
    );
    expect(groups({ groups: ["x".repeat(513)] })).toEqual([]);
  });

  test("one may stand by itself; an empty list is a statement, an absent claim is none", () => {
    expect(groups({ groups: "eng" })).toEqual(["eng"]);
    expect(groups({ groups: [] })).toEqual([]);
    expect(groups({})).toBeNull();
  });

  test("a claim's whole name comes before the way that its dots would lead", () => {
    const claims = { "a.b": ["whole"], a: { b: ["way"] }, "https://example.com/groups": ["url"] };
    expect(groups(claims, { groupsClaim: "a.b" })).toEqual(["whole"]);
    expect(groups(claims, { groupsClaim: ["a", "b"] })).toEqual(["way"]);
    expect(groups(claims, { groupsClaim: "https://example.com/groups" })).toEqual(["url"]);
  });

  test.each(["constructor.name", "__proto__", "toString"])("nothing is read off the prototype: %s", (claim) => {
    expect(groups({ groups: [] }, { groupsClaim: claim })).toBeNull();
  });

  test("those of the domain are added, and people of another are refused", () => {
    const domains = { "example.com": ["eng"], "other.example": [] };
    const of = (email: string) => ({ email, email_verified: true, groups: ["a"] });
    expect(groups(of("ana@Example.com"), { domains })).toEqual(["a", "eng"]);
    expect(groups(of("ana@other.example"), { domains })).toEqual(["a"]);
    for (const claims of [
      of("ana@evil.example"),
      { ...of("ana@example.com"), email_verified: false },
      {},
      of("a@constructor"),
    ]) {
      expect(read({ sub: "s", ...claims }, { domains })).toMatchObject({ ok: false });
    }
  });
});

test.each([undefined, "", 7, "x".repeat(256), "tab\there", "ümlaut"])("nobody is known by the subject %j", (sub) => {
  expect(read({ sub })).toMatchObject({ ok: false });
});
