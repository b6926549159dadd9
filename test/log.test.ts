import { describe, expect, it } from "vitest";
import { createLogger, redactCredentials } from "../src/log.ts";
import { GatewayError } from "../src/errors.ts";

const TOKEN = `gho_${"a1B2".repeat(12)}x`;

/** Logs and gives back what was written. */
function written(isTTY: boolean, fields: Record<string, unknown>, message: string): string {
  const lines: string[] = [];
  const mask = (text: string) => text.replaceAll("hunter2", "⟦password⟧");
  const log = createLogger({ stream: { write: (line) => lines.push(line), isTTY }, mask });
  log.info(fields, message);
  return lines.join("");
}

describe("redactCredentials", () => {
  it.each([
    [`GET /u/${TOKEN}/git/code/a.git`, "GET /u/[redacted]/git/code/a.git"],
    ["GET /u/anything-else/copilot/x", "GET /u/[redacted]/copilot/x"],
    ["GET /u%2fsecret/x", "GET /u%2f[redacted]/x"],
    [`the token ${TOKEN}.`, "the token [redacted]."],
    ["github_pat_11ABCDEFG_xyz", "[redacted]"],
    ["xoxb-123456-abcdef", "[redacted]"],
    ["Authorization: Bearer eyJh.eyJz.sig-_", "Authorization: Bearer [redacted]"],
    ["authorization: basic dTpw", "authorization: basic [redacted]"],
    ["Sallyport-Token: abcdef", "Sallyport-Token: [redacted]"],
    ["postgres://sally:hunter2@db:5432/x", "postgres://[redacted]@db:5432/x"],
    ["https://user@host/x", "https://[redacted]@host/x"],
  ])("%s", (text, expected) => {
    expect(redactCredentials(text)).toBe(expected);
  });

  it.each(["http://127.0.0.1:8080/git/code/a.git", "GET /users/ada", "user ada@example.com pushed"])(
    "leaves %s",
    (text) => {
      expect(redactCredentials(text)).toBe(text);
    },
  );
});

describe("createLogger", () => {
  it("writes one JSON object a line", () => {
    const line = written(
      false,
      { push: "p1", bytes: 5, at: new Date(0), big: 7n, raw: Buffer.from("abc") },
      "push\nreceived",
    );
    expect(line.endsWith("}\n")).toBe(true);
    expect(JSON.parse(line)).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      message: "push\nreceived",
      push: "p1",
      bytes: 5,
      at: "1970-01-01T00:00:00.000Z",
      big: "7",
      raw: "[3 bytes]",
    });
    expect(line.indexOf("\n")).toBe(line.length - 1);
  });

  it.each([false, true])("lets no credential through, wherever it stands (terminal: %s)", (isTTY) => {
    const cause = Object.assign(new Error(`connect postgres://u:hunter2@h with ${TOKEN}`), {
      query: "hunter2 in a query",
    });
    const line = written(
      isTTY,
      {
        url: `/u/${TOKEN}/git/x`,
        headers: { Authorization: "hunter2", "set-cookie": ["hunter2"], accept: "*/*", "x-api-key": "hunter2" },
        nested: [{ deep: { text: `hunter2 and ${TOKEN}` } }],
        slackToken: "plain-hunter",
        [TOKEN]: 1,
        error: new GatewayError("internal", `failed for ${TOKEN}`, { cause }),
      },
      `message with ${TOKEN}`,
    );
    expect(line).not.toContain(TOKEN);
    expect(line).not.toContain("hunter");
  });

  it("keeps an error's code, stack and causes", () => {
    const error = new GatewayError("storage_failed", "disk full", { cause: new Error("ENOSPC") });
    expect(JSON.parse(written(false, { error }, "x"))).toMatchObject({
      error: {
        type: "GatewayError",
        code: "storage_failed",
        message: "disk full",
        stack: expect.stringContaining("log.test"),
        cause: { message: "ENOSPC" },
      },
    });
  });

  it("survives circles", () => {
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    expect(written(false, { circle }, "x")).toContain("[deeper]");
  });

  it("shows people short lines, with nothing that would move their cursor", () => {
    const line = written(true, { path: "a b", n: 1, error: new Error("gone\u001b[2J") }, "clear\u001b[2J\u202e");
    expect(line).toMatch(/^\d\d:\d\d:\d\d info {2}clear\\x1b\[2J\\u202e path="a b" n=1 error="gone\\\\x1b\[2J"\n$/);
  });
});

it("a failed query's parameters are what people wrote: they are not logged", async () => {
  let lines = "";
  const log = createLogger({ stream: { write: (line: string) => (lines += line) } });
  const { drizzle } = await import("drizzle-orm/postgres-js");
  const { sql } = await import("drizzle-orm");
  const db = drizzle("postgres://nobody@127.0.0.1:1/none");

  const error = await db.execute(sql`select ${"words\n    at of a person"}`).catch((failure: unknown) => failure);
  log.error({ error }, "a query failed");

  expect(lines).toContain("Failed query: select $1");
  expect(lines).toContain("ECONNREFUSED");
  expect(lines).not.toContain("of a person");
});
