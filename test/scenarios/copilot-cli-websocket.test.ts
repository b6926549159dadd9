/** The unmodified Copilot CLI over a WebSocket, where the model list offers one: the gateway relays it, and every message is on record. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findTranscript } from "../../src/store/messages.ts";
import { listSessions } from "../../src/store/sessions.ts";
import { ANA, dumpDatabase, recordedExchanges, startGateway } from "../copilot/gateway.ts";
import { startCopilotCli } from "../harness/copilot-cli.ts";
import { plantedAwsKey } from "../harness/planted.ts";

test("a turn with a tool call, and another one that continues it", async () => {
  const gateway = await startGateway();
  const cli = await startCopilotCli(gateway.api, ANA);
  const path = join(cli.directory, "greet.py");
  const patch = ["*** Begin Patch", `*** Add File: ${path}`, "+print('hi')", "*** End Patch"].join("\n");
  gateway.sockets.respond({ text: "I will write it.", toolCalls: [{ name: "apply_patch", input: patch }] });
  gateway.sockets.respondAlways({ text: "greet.py is written." });
  const first = await cli.prompt(`Write greet.py. The key is ${plantedAwsKey}.`, ["--model", "gpt-5.4"]);
  expect(first.stdout).toContain("greet.py is written.");
  expect(first.code).toBe(0);
  expect(await readFile(path, "utf8")).toBe("print('hi')\n");
  gateway.sockets.respondAlways({ text: "You are welcome." });
  const second = await cli.prompt("Thank you", ["--model", "gpt-5.4", "--continue"]);
  expect(second.stdout).toContain("You are welcome.");

  // It was the WebSocket, and not its fallback.
  expect(gateway.sockets.requests.length).toBeGreaterThanOrEqual(3);
  expect(gateway.upstream.requests.filter(({ url }) => url.startsWith("/responses"))).toEqual([]);
  const { items } = await listSessions(gateway.db, {});
  expect(items).toHaveLength(1);
  const rows = (await recordedExchanges(gateway.db)).filter((row) => row.format === "responses");
  expect(rows.length).toBe(gateway.sockets.requests.length);
  expect(new Set(rows.map((row) => row.status))).toEqual(new Set(["complete"]));
  expect(rows.map((row) => row.initiator)).toContain("agent");
  const transcript = JSON.stringify(await findTranscript(gateway.db, items[0]?.id ?? ""));
  for (const text of ["Write greet.py.", "Add File", "greet.py is written.", "Thank you", "You are welcome."]) {
    expect(transcript).toContain(text);
  }
  expect(await dumpDatabase(gateway.db)).not.toContain(plantedAwsKey);
});
