import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { startWorld, type Person, type World } from "../harness/world.ts";

const SUGGESTED = [
  "export function countWords(text: string): Map<string, number> {",
  "  const counts = new Map<string, number>();",
  "  for (const word of text.toLowerCase().split(/[^a-z]+/)) {",
  "    if (word.length > 0) counts.set(word, (counts.get(word) ?? 0) + 1);",
  "  }",
  "  return counts;",
  "}",
  "",
].join("\n");

/** One turn of a conversation, with the headers that the Copilot CLI sends. */
async function ask(world: World, person: Person, session: string): Promise<void> {
  world.copilot.respond({ text: `Here it is:\n\n\`\`\`ts src/count-words.ts\n${SUGGESTED}\`\`\`\n` });
  const response = await person.fetch("/copilot/copilot/chat/completions", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-client-session-id": session,
      "x-interaction-id": randomUUID(),
      "x-initiator": "user",
      "copilot-integration-id": "copilot-developer-cli",
    },
    body: JSON.stringify({
      model: "gpt-4.1",
      stream: true,
      messages: [{ role: "user", content: "Write a function that counts words." }],
    }),
  });
  expect(response.status).toBe(200);
  expect(await response.text()).toContain("[DONE]");
}

interface CommitAnswer {
  readonly pusher: string;
  readonly sessions: readonly { readonly id: string; readonly reason: string; readonly confidence: number }[];
  readonly files: readonly {
    readonly path: string;
    readonly lines: readonly { readonly from: number; readonly to: number; readonly verdict: string }[];
  }[];
  readonly attributed_at: string | null;
}

/** The commit's answer, once attribution has read it. */
async function commitOf(person: Person, oid: string): Promise<CommitAnswer> {
  let answer: CommitAnswer | null = null;
  await expect
    .poll(async () => {
      const response = await person.fetch(`/api/v1/commits/${oid}`);
      if (response.status !== 200) return null;
      answer = (await response.json()) as CommitAnswer;
      return answer.attributed_at;
    })
    .not.toBeNull();
  if (answer === null) throw new Error("the commit was never answered");
  return answer;
}

test("a commit with suggested lines is linked to its session by content, line range by line range", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  await ask(world, ana, randomUUID());
  const copy = await ana.clone("team/app");
  await copy.must("checkout", "-q", "-b", "topic");
  const oid = await copy.commit("Count words", { "src/count-words.ts": SUGGESTED });
  await copy.must("push", "-q", "origin", "topic");

  const commit = await commitOf(ana, oid);
  const { items: sessions } = await ana.api("/api/v1/sessions");

  expect(commit.pusher).toBe("ana@example.com");
  expect(sessions).toHaveLength(1);
  expect(commit.sessions).toEqual([
    expect.objectContaining({ id: sessions[0]?.["id"], reason: "content", confidence: expect.any(Number) as number }),
  ]);
  expect(commit.files[0]).toMatchObject({ path: "src/count-words.ts" });
  expect(commit.files[0]?.lines[0]).toMatchObject({ from: 1, verdict: "ai" });
  expect(commit.files[0]?.lines[0]?.to).toBeGreaterThanOrEqual(6);
});

test("a Copilot-Session trailer links to a known session of the same person, and to nobody else's", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const bob = await world.person("bob@example.com", ["eng"]);
  const session = randomUUID();
  await ask(world, ana, session);
  const push = async (person: Person, branch: string): Promise<string> => {
    const copy = await person.clone("team/app");
    await copy.must("checkout", "-q", "-b", branch);
    const oid = await copy.commit(`Add a note by ${branch}\n\nCopilot-Session: ${session}\n`, {
      [`${branch}.md`]: "x\n",
    });
    await copy.must("push", "-q", "origin", branch);
    return oid;
  };

  const hers = await commitOf(ana, await push(ana, "hers"));
  const his = await commitOf(bob, await push(bob, "his"));

  expect(hers.sessions).toEqual([expect.objectContaining({ reason: "trailer" })]);
  expect(his.sessions).toEqual([]);
});

test("the same lines pushed by somebody who never saw them are linked to nothing", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const bob = await world.person("bob@example.com", ["eng"]);
  await ask(world, ana, randomUUID());
  const copy = await bob.clone("team/app");
  await copy.must("checkout", "-q", "-b", "topic");
  const oid = await copy.commit("Count words", { "src/count-words.ts": SUGGESTED });
  await copy.must("push", "-q", "origin", "topic");

  expect((await commitOf(bob, oid)).sessions).toEqual([]);
});
