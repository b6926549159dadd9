/** Tricks with connections: many of them, held for as long as possible, by somebody whom nobody knows. Append-only. */
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { sharedWorld } from "../harness/world.ts";

const world = sharedWorld({ bodyMs: 300 });

/** Sends a body that says it is long, a byte at a time, without an end. @returns what was answered until the gateway closed */
async function drip(head: string): Promise<string> {
  const { hostname, port } = new URL(world().url);
  const socket = connect(Number(port), hostname);
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => {});
  socket.write(`${head}\r\nHost: ${hostname}:${port}\r\nContent-Length: 60000\r\n\r\n`);
  const timer = setInterval(() => void socket.write("a"), 10);
  // Not by `once`, which a connection that was reset would make fail.
  await new Promise((resolve) => socket.once("close", resolve));
  clearInterval(timer);
  return text;
}

describe("a body byte by byte", () => {
  const FORM = "Content-Type: application/x-www-form-urlencoded";
  const PARTS = "Content-Type: multipart/form-data; boundary=---------------------------1234567890";
  test.each([
    ["asking for a device code", `POST /login/device/code HTTP/1.1\r\n${FORM}`],
    ["the same, in parts", `POST /login/device/code HTTP/1.1\r\n${PARTS}`],
    ["asking for a token", `POST /login/oauth/access_token HTTP/1.1\r\n${FORM}`],
    ["at the sign-in", `POST /sign-in HTTP/1.1\r\n${FORM}`],
    ["at a page", `POST /sessions HTTP/1.1\r\n${FORM}`],
    ["of telemetry", "POST /telemetry HTTP/1.1"],
    ["at the API", "POST /api/v1/approvals/x/approve HTTP/1.1"],
    ["at a page that reads none", "GET / HTTP/1.1"],
    [
      "to ask for another protocol",
      `POST /login/device/code HTTP/1.1\r\n${FORM}\r\nConnection: Upgrade\r\nUpgrade: h2c`,
    ],
  ])("%s: the connection ends, and the gateway goes on", async (_what, head) => {
    // Answered without it, or not at all.
    expect(await drip(head)).toMatch(/^(?:$|HTTP\/1\.1 (?:200|303|401|403|404) )/);
    expect((await fetch(`${world().url}/healthz`)).status).toBe(200);
  });

  test("by somebody who is known: no longer", async () => {
    const { token } = await world().person("slow@example.com", ["eng"]);
    const head = `POST /api/v1/stops HTTP/1.1\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json`;
    expect(await drip(head)).toMatch(/^(?:$|HTTP\/1\.1 4)/);
    expect((await fetch(`${world().url}/healthz`)).status).toBe(200);
  });

  test("a form that comes whole is served", async () => {
    const body = new URLSearchParams({ client_id: "sallyport", scope: "repo" }).toString();
    const answer = await fetch(`${world().url}/login/device/code`, {
      method: "POST",
      body,
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    expect(answer.status).toBe(200);
  });
});
