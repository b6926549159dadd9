import { expect, test } from "vitest";
import { ObjectReader } from "../../src/git/cat-file.ts";
import { startScene } from "./inspection.ts";

test("an object that is asked for while another is being read is refused, not answered with the other's bytes", async () => {
  const scene = await startScene();
  await scene.commit("two", { "a.txt": "the first\n", "b.txt": "the second\n" });
  const [a, b] = (await scene.must("rev-parse", "HEAD:a.txt", "HEAD:b.txt")).split("\n");
  const reader = new ObjectReader({ git: scene.git, gitDir: `${scene.work}/.git`, timeoutMs: 20_000 });
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
