import { expect, test } from "vitest";
import { parsePostmasterPid } from "../../../src/store/postgres/postmaster-pid.ts";

const FILE = "4711\n/data\n1764000000\n5433\n\n127.0.0.1\n  1234567         0\nready   \n";

test("a server's file is read at every state of being written", () => {
  expect(parsePostmasterPid(FILE)).toEqual({ pid: 4711, port: 5433, status: "ready" });
  expect(parsePostmasterPid(FILE.replace("ready   ", "stopping"))).toMatchObject({ status: "stopping" });
  expect(parsePostmasterPid(FILE.replace("ready   ", "standby "))).toMatchObject({ status: "other" });
  for (let end = 0; end < FILE.length; end += 1) {
    const read = parsePostmasterPid(FILE.slice(0, end));
    expect(read?.status ?? "other").toBe(end >= FILE.length - 4 ? "ready" : "other");
  }
});

test.each(["", "\n", "garbage", "-4711\n", "0\n", "4711.5\n"])("%j names no process", (text) =>
  expect(parsePostmasterPid(text)).toBeNull(),
);
