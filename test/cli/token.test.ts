import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { hashToken, isGatewayToken } from "../../src/identity/tokens.ts";
import { findTokenByHash } from "../../src/store/tokens.ts";
import type { DatabaseHandle } from "../../src/store/database.ts";
import { directoryWith } from "../config/files.ts";
import { testDatabase } from "../harness/database.ts";
import { ONE_RULE, run, type Ran } from "./command-io.ts";

let database: DatabaseHandle;
let token: (args: readonly string[], now?: Date) => Promise<Ran>;

const start = async (): Promise<void> => {
  database = await testDatabase();
  const cwd = await directoryWith({
    "rules/ours.yaml": ONE_RULE,
    "c.yaml": "secrets: { rules: [./rules/ours.yaml] }\n",
  });
  const env = { DATABASE_URL: database.url, SALLYPORT_CONFIG: join(cwd, "c.yaml") };
  token = (args, now = new Date()) => run(["token", ...args], { cwd, env, now: () => now });
};

describe("sallyport token", () => {
  beforeEach(async ({ onTestFinished }) => {
    await start();
    onTestFinished(() => database.close());
  });

  it("create prints the token alone on stdout, and keeps only its hash", async () => {
    const now = new Date("2026-01-01T00:00:00Z");
    const { code, out, err } = await token(
      [
        "create",
        "--user",
        "Ada@Example.com",
        "--groups",
        "eng, release,eng",
        "--for",
        "copilot,git",
        "--expires",
        "30d",
        "--name",
        "laptop",
      ],
      now,
    );
    expect(code).toBe(0);
    const secret = out.trimEnd();
    expect(out).toBe(`${secret}\n`);
    expect(isGatewayToken(secret)).toBe(true);
    expect(err).toBe(
      "A token for ada@example.com, in eng, release, for git, copilot; expires 2026-01-31 00:00Z. It is shown this once.\n",
    );
    expect(await findTokenByHash(database.db, hashToken(secret))).toMatchObject({
      name: "laptop",
      groups: ["eng", "release"],
      audiences: ["git", "copilot"],
      expiresAt: new Date("2026-01-31T00:00:00Z"),
      principal: { issuer: "sallyport", subject: "ada@example.com", email: "ada@example.com", kind: "person" },
    });
  });

  it("create knows a person again, however the address is typed", async () => {
    const first = (await token(["create", "--user", "ada@example.com"])).out.trimEnd();
    const second = (await token(["create", "--user", " ADA@example.com "])).out.trimEnd();
    expect(second).not.toBe(first);
    const [a, b] = await Promise.all([first, second].map((secret) => findTokenByHash(database.db, hashToken(secret))));
    expect(a).toMatchObject({
      name: "ada@example.com",
      groups: [],
      audiences: ["git", "copilot", "api"],
      expiresAt: null,
    });
    expect(b?.principalId).toBe(a?.principalId);
  });

  it("list shows every token's state and no secret", async () => {
    expect(await token(["list"])).toMatchObject({ code: 0, out: "", err: expect.stringContaining("No tokens yet") });
    const secret = (await token(["create", "--user", "ada@example.com", "--name", "clear\u001b[2J"])).out.trimEnd();
    await token(
      ["create", "--user", "bob@example.com", "--expires", "1s", "--name", "old"],
      new Date("2020-01-01T00:00:00Z"),
    );
    await token(["create", "--user", "cy@example.com", "--name", "gone"]);
    await token(["revoke", "gone"]);
    const { code, out } = await token(["list"]);
    expect(code).toBe(0);
    expect(out).not.toContain(secret);
    expect(out).not.toContain("\u001b");
    const lines = out.trimEnd().split("\n");
    expect(lines).toHaveLength(4);
    expect(lines.find((line) => line.includes("ada@"))).toMatch(/clear\\x1b\[2J +- +git,copilot,api .* never +good$/);
    expect(lines.find((line) => line.includes("bob@"))).toMatch(/expired$/);
    expect(lines.find((line) => line.includes("cy@"))).toMatch(/revoked$/);
  });

  it("revoke takes an id, its beginning, or a name that is only one's", async () => {
    const secrets = [];
    for (const name of ["one", "two", "twin", "twin"]) {
      secrets.push((await token(["create", "--user", "ada@example.com", "--name", name])).out.trimEnd());
    }
    const rows = await Promise.all(secrets.map((secret) => findTokenByHash(database.db, hashToken(secret))));
    expect(await token(["revoke", "one"])).toMatchObject({ code: 0, err: expect.stringContaining("Revoked") });
    expect(await token(["revoke", rows[1]?.id ?? ""])).toMatchObject({ code: 0 });
    expect(await token(["revoke", "twin"])).toMatchObject({ code: 1, err: expect.stringContaining("several tokens") });
    expect(await token(["revoke", "nobody"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("no token has this id"),
    });
    const after = await Promise.all(secrets.map((secret) => findTokenByHash(database.db, hashToken(secret))));
    expect(after.map((row) => row?.revokedAt !== null)).toEqual([true, true, false, false]);
  });

  it("fails with a reason, and without the password, where the database is away", async () => {
    const cwd = await directoryWith({});
    const { code, out, err } = await run(["token", "list"], {
      cwd,
      env: { DATABASE_URL: "postgres://sally:hunter2@127.0.0.1:1/x" },
    });
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("does not answer");
    expect(err).not.toContain("hunter2");
  });
});
