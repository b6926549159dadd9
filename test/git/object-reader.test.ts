import { expect, test } from "vitest";
import { ObjectReader } from "../../src/git/cat-file.ts";
import { GatewayError } from "../../src/errors.ts";
import { startScene } from "./inspection.ts";

test("an object that is asked for while another is being read is refused, not answered with the other's bytes", async () => {
  const scene = await startScene();
  await scene.commit("two", { "a.txt": "the first\n", "b.txt": "the second\n" });
  const [a, b] = (await scene.must("rev-parse", "HEAD:a.txt", "HEAD:b.txt")).split("\n");
  const reader = new ObjectReader({ git: scene.git, gitDir: `${scene.work}/.git`, timeoutMs: 120_000 });
  const textOf = async (oid = ""): Promise<string> => {
    const found = await reader.open(oid);
    if (found.type === "missing") return "missing";
    const pieces: Buffer[] = [];
    for await (const piece of found.chunks) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  };
  try {
    const first = await reader.open(a ?? "");
    await expect(reader.open(b ?? "")).rejects.toMatchObject({ code: "internal" });
    await expect(reader.all([b ?? ""], 100).next()).rejects.toMatchObject({ code: "internal" });
    if (first.type !== "missing") for await (const piece of first.chunks) expect(piece.toString()).toBe("the first\n");
    expect(await textOf(b)).toBe("the second\n");
    expect(await textOf("0".repeat(40))).toBe("missing");
    expect(await textOf(a)).toBe("the first\n");
  } finally {
    await reader.close();
  }
});

test("a git that was stopped: the next question starts another, and one that is under way is told why", async () => {
  const scene = await startScene();
  await scene.commit("one", { "a.txt": "text\n" });
  const oid = await scene.must("rev-parse", "HEAD:a.txt");
  const reader = new ObjectReader({ git: scene.git, gitDir: `${scene.work}/.git`, timeoutMs: 120_000 });
  const late = new GatewayError("limit_exceeded", "git cat-file took longer than 20 s");
  try {
    // As when its time ends while a slow client still sends its pack.
    await reader.start().child.stop(late);
    const found = await reader.open(oid);
    expect(found).toMatchObject({ oid, size: 5 });
    if (found.type !== "missing") for await (const piece of found.chunks) expect(piece.toString()).toBe("text\n");

    const { child } = reader.start();
    const asked = reader.open(oid);
    void child.stop(late);
    await expect(asked).rejects.toBe(late);
  } finally {
    await reader.close();
  }
});

test("a git that is stopped in the middle of an object: who reads is told why, not that the output broke off", async () => {
  const scene = await startScene();
  await scene.commit("large", { "a.txt": "text\n".repeat(400_000) });
  const oid = await scene.must("rev-parse", "HEAD:a.txt");
  const reader = new ObjectReader({ git: scene.git, gitDir: `${scene.work}/.git`, timeoutMs: 120_000 });
  const late = new GatewayError("limit_exceeded", "git cat-file took longer than 20 s");
  try {
    const { child } = reader.start();
    const found = await reader.open(oid);
    if (found.type === "missing") throw new Error("the object is not there");
    await expect(
      (async () => {
        // More is to come than a pipe and its reader hold.
        for await (const piece of found.chunks) if (piece.length > 0) void child.stop(late);
      })(),
    ).rejects.toBe(late);

    const { child: next } = reader.start();
    const all = reader.all([oid, oid], 10_000_000);
    expect((await all.next()).value).toMatchObject({ oid, size: 2_000_000 });
    void next.stop(late);
    await expect(all.next()).rejects.toBe(late);
  } finally {
    await reader.close();
  }
});
