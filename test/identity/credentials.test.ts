import { assert, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCredentials } from "../../src/identity/credentials.ts";

const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
const authorization = (value: string) => parseCredentials({ headers: { authorization: value } });
const TOKEN = "gho_secret";
const FOUND = { ok: true, value: { token: TOKEN, from: "authorization" } };

describe("Authorization", () => {
  test.each([
    ["the password, any user name", basic(`ann:${TOKEN}`)],
    ["an empty user name", basic(`:${TOKEN}`)],
    ["the user name, with an empty password", basic(`${TOKEN}:`)],
    ["the user name, with GitHub's mark", basic(`${TOKEN}:x-oauth-basic`)],
    ["no padding", basic(`an:${TOKEN}`).replace(/=+$/, "")],
    ["Bearer", `Bearer ${TOKEN}`],
    ["the scheme's case", `bEARER   ${TOKEN}`],
    ["GitHub's own scheme", `token ${TOKEN}`],
  ])("%s", (_name, value) => expect(authorization(value)).toEqual(FOUND));

  test("a password may hold colons", () =>
    expect(authorization(basic("ann:a:b:c"))).toMatchObject({ value: { token: "a:b:c" } }));

  test.each([
    "",
    "Basic",
    "Bearer",
    "Bearer a b",
    "Basic %%%",
    "Basic =",
    basic("no colon"),
    basic(":"),
    basic("ann:two words"),
    basic("ann:\u0000"),
    basic("ann:ü"),
    "Digest username=ann",
    "Negotiate YII=",
    `Bearer ${"a".repeat(20_000)}`,
    `Bearer\u00a0${TOKEN}`,
  ])("%j is malformed", (value) =>
    expect(authorization(value)).toMatchObject({ ok: false, error: { reason: "malformed" } }),
  );

  test("nothing of what was sent is in the answer", () =>
    expect(JSON.stringify(authorization(`Basic hunter2secret!`))).not.toContain("hunter2secret"));

  test("whatever it holds, nothing is thrown, and what is found can stand in a header", () =>
    assert(
      property(string({ unit: "binary" }), (text) => {
        for (const value of [text, `Basic ${text}`, basic(text)]) {
          const found = authorization(value);
          expect(found.ok ? found.value.token : "refused").toMatch(/^[!-~]+$/);
        }
      }),
    ));
});

describe("which one counts", () => {
  const headers = { authorization: `Bearer upstream`, "sallyport-token": "header" };

  test("Sallyport-Token before the address before Authorization", () => {
    expect(parseCredentials({ headers, pathToken: "path" })).toMatchObject({
      value: { token: "header", from: "sallyport-token" },
    });
    const { authorization } = headers;
    expect(parseCredentials({ headers: { authorization }, pathToken: "path" })).toMatchObject({
      value: { token: "path", from: "path" },
    });
    expect(parseCredentials({ headers: { authorization } })).toMatchObject({ value: { token: "upstream" } });
  });

  test("one that cannot be read does not fall through to the next", () => {
    for (const broken of ["", "two words", "a\u0007"])
      expect(parseCredentials({ headers: { ...headers, "sallyport-token": broken }, pathToken: "path" })).toMatchObject(
        { ok: false, error: { reason: "malformed" } },
      );
    expect(parseCredentials({ headers: { "sallyport-token": ["a", "b"] } })).toMatchObject({ ok: false });
    expect(parseCredentials({ headers: { authorization: "Bearer upstream" }, pathToken: "" })).toMatchObject({
      ok: false,
    });
  });

  test("where the client's own Authorization goes upstream, it is not the gateway's", () =>
    expect(parseCredentials({ headers: { authorization: "Bearer upstream" }, passthrough: true })).toMatchObject({
      error: { reason: "missing" },
    }));

  test("none at all is missing, not malformed", () =>
    expect(parseCredentials({ headers: {} })).toMatchObject({ ok: false, error: { reason: "missing" } }));
});
