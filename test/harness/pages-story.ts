/** A day at the gateway, for the tests of the pages: real exchanges and real pushes, so that what is shown has come the whole way. */
import { expect } from "vitest";
import { createAgent } from "./agent.ts";
import { plantedAwsKey } from "./planted.ts";
import type { Person, World, WorldOptions } from "./world.ts";

export const STORY_OPTIONS: WorldOptions = {
  pushes: [
    {
      repositories: ["code/**"],
      secrets: "reject",
      protect: [{ refs: ["refs/heads/main"], approvers: ["leads"], wait: "0s" }],
    },
  ],
  auditors: ["audit"],
};

export interface Story {
  readonly ana: Person;
  readonly ben: Person;
  readonly lee: Person;
  /** Auditor. */
  readonly uma: Person;
  /** Ana's session with tools, a sub-agent and a secret. */
  readonly session: string;
  /** The commit that came of it. */
  readonly commit: string;
  /** Its push. */
  readonly push: string;
}

const BEFORE = `export interface Limits {
  readonly perMinute: number;
}

export const limits: Limits = { perMinute: 60 };

export function isAllowed(count: number): boolean {
  return count < limits.perMinute;
}
`;

const OLD_PART = `export function isAllowed(count: number): boolean {
  return count < limits.perMinute;
}
`;

const NEW_PART = `/** Counts by key: one noisy client must not use up what the others may send. */
export function createLimiter(now: () => number, { perMinute }: Limits = limits) {
  const windows = new Map<string, { count: number; until: number }>();
  return (key: string): boolean => {
    const at = now();
    const window = windows.get(key);
    if (window === undefined || window.until <= at) {
      windows.set(key, { count: 1, until: at + 60_000 });
      return true;
    }
    window.count += 1;
    return window.count <= perMinute;
  };
}
`;

export const TEST_FILE = `import { expect, test } from "vitest";
import { createLimiter } from "./limits.ts";

test("a key has its own window", () => {
  let now = 0;
  const isAllowed = createLimiter(() => now, { perMinute: 1 });
  expect(isAllowed("ana")).toBe(true);
  expect(isAllowed("ana")).toBe(false);
  expect(isAllowed("ben")).toBe(true);
  now = 60_000;
  expect(isAllowed("ana")).toBe(true);
});
`;

const READ = `12 files changed
src/app.ts:14:  if (!isAllowed(count)) return tooMany();
src/app.ts:31:  // one counter for everybody
limits.ts:7:export function isAllowed(count: number): boolean {
test/app.test.ts:52:  it("limits", …)
`;

export const PROMPT = `Requests are limited for everybody together. Make it per key, and test it.

In case you need it, this is what deploys read:
AWS_ACCESS_KEY_ID=${plantedAwsKey}`;

/** @param chunkMs between the chunks of answers, to be seen streaming */
export async function playStory(world: World, chunkMs = 0): Promise<Story> {
  const [ana, ben, lee, uma] = await Promise.all([
    world.person("ana.lindqvist@example.com", ["eng"]),
    world.person("ben.osei@example.com", ["eng"]),
    world.person("lee.moreau@example.com", ["leads"]),
    world.person("uma.patel@example.com", ["audit"]),
  ]);
  await world.upstream.createRepository("payments/api");
  await world.upstream.commitDirectly("payments/api", "refs/heads/main", { "limits.ts": BEFORE });

  const agent = createAgent(world, ana);
  await agent.step({
    prompt: PROMPT,
    answer: {
      chunkMs,
      text: "I'll look at how requests are limited today, and where the counter is read.",
      toolCalls: [
        {
          name: "bash",
          arguments: {
            command: "git grep -n 'isAllowed\\|counter' && git status --short",
            description: "Find the limiter",
          },
        },
      ],
      usage: { input: 18_400, output: 96 },
    },
  });
  const task = { task: "task-explore", parent: "task-main" };
  await agent.step({
    agent: task,
    prompt: "Which callers pass a key to the limiter already? Answer with paths only.",
    answer: {
      chunkMs,
      text: "None of them does: `src/app.ts` is the only caller, and it passes a count.",
      usage: { input: 5_120, output: 40 },
    },
  });
  await agent.step({
    results: [READ],
    answer: {
      chunkMs,
      text: "One counter is shared by everybody. I'll keep a window for each key, with the clock handed in so that a test can move it.",
      toolCalls: [
        { name: "edit", arguments: { path: "limits.ts", old_str: OLD_PART, new_str: NEW_PART } },
        { name: "create", arguments: { path: "limits.test.ts", file_text: TEST_FILE } },
        { name: "bash", arguments: { command: "npx vitest run limits.test.ts" } },
      ],
      usage: { input: 19_870, output: 655 },
    },
  });
  await agent.step({
    results: [
      "The file limits.ts has been edited.",
      "Created limits.test.ts.",
      " ✓ limits.test.ts (1 test) 4ms\n\n Test Files  1 passed (1)\n      Tests  1 passed (1)\n",
    ],
    answer: {
      chunkMs,
      text: [
        "Each key now has a window of its own:\n\n",
        "```ts limits.ts\n",
        ...NEW_PART.split(/(?<=\n)/),
        "```\n\n",
        "The test moves the clock by hand, so that it never waits. `isAllowed` is gone; `src/app.ts` has to pass the ",
        "token's id as the key.",
      ],
      usage: { input: 21_240, output: 288 },
    },
  });
  await agent.step({
    prompt: "Good. Commit it, please.",
    answer: {
      chunkMs,
      toolCalls: [{ name: "bash", arguments: { command: "git add -A && git commit -m 'Limit requests per key'" } }],
      usage: { input: 21_700, output: 52 },
    },
  });
  await agent.step({
    results: ["[limits 4f1c2aa] Limit requests per key\n 2 files changed, 31 insertions(+), 3 deletions(-)\n"],
    answer: { chunkMs, text: "Committed as one change. Nothing was pushed.", usage: { input: 21_900, output: 14 } },
  });

  const copy = await ana.clone("payments/api");
  await copy.must("checkout", "-q", "-b", "limits");
  const commit = await copy.commit("Limit requests per key\n\nOne noisy client used up what all of them may send.\n", {
    "limits.ts": BEFORE.replace(OLD_PART, NEW_PART),
    "limits.test.ts": TEST_FILE,
  });
  await copy.must("push", "-q", "origin", "limits");
  await attributed(ana, commit);

  // A push with a secret, and one that waits.
  await copy.commit("Configure deploys", { "deploy.env": `AWS_ACCESS_KEY_ID=${plantedAwsKey}\n` });
  await copy.git("push", "-q", "origin", "limits:deploys");
  const main = await ben.clone("payments/api");
  await main.commit("Say how to run it", { "README.md": "# Payments\n\nnpm start\n" });
  await main.git("push", "-q", "origin", "main");

  // Ben, in an editor, with the same key; an answer that breaks off; a path that nobody knows.
  const editor = createAgent(world, ben, {
    model: "claude-sonnet-4.5",
    headers: {
      "editor-version": "vscode/1.121.0",
      "copilot-integration-id": "vscode-chat",
      "vscode-sessionid": "window-1",
    },
  });
  await editor.step({
    prompt: `Why is ${plantedAwsKey} refused by the staging bucket?`,
    answer: {
      text: "The key may not read this bucket: its policy names the production account only.",
      usage: { input: 3_100, output: 30 },
    },
  });
  await editor.step({
    prompt: "Write the policy for it.",
    answer: { text: "Here is a policy that lets the staging account list and read, but not write.", cutAfter: 3 },
  });
  const review = createAgent(world, ben, { model: "gpt-4.1" });
  await review.step({
    prompt: "Review the last commit for races.",
    answer: {
      text: "I see none: the map is only touched in one turn of the loop.",
      usage: { input: 9_450, output: 41 },
    },
  });

  const { items: sessions } = await ana.api("/api/v1/sessions");
  const { items: pushes } = await ana.api(`/api/v1/pushes?sha=${commit}`);
  return { ana, ben, lee, uma, session: String(sessions[0]?.["id"]), commit, push: String(pushes.at(-1)?.["id"]) };
}

async function attributed(person: Person, oid: string): Promise<void> {
  await expect
    .poll(
      async () =>
        ((await (await person.fetch(`/api/v1/commits/${oid}`)).json()) as { attributed_at?: string }).attributed_at ??
        null,
    )
    .not.toBeNull();
}
