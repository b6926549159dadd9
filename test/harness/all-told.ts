/** Everything that a gateway has written or told, as one text: what must not be found in it was not told to anybody. */
import type { SlackServer } from "../../fixtures/slack-server.ts";
import type { WebhookReceiver } from "../../fixtures/webhook-receiver.ts";
import type { Person, World } from "./world.ts";

const LISTS = ["pushes", "approvals", "sessions", "exchanges", "commits", "events"];

export interface Told {
  readonly world: World;
  /** Reads the lists of the API, and each push. */
  readonly reader: Person;
  readonly slack: SlackServer;
  readonly hook: WebhookReceiver;
  /** What else was answered. */
  readonly said: string;
}

export async function allTold({ world, reader, slack, hook, said }: Told): Promise<string> {
  const pages: string[] = [];
  for (const list of LISTS) pages.push(await (await reader.fetch(`/api/v1/${list}?limit=200`)).text());
  const { items } = await reader.api("/api/v1/pushes?limit=200");
  for (const { id } of items) pages.push(await (await reader.fetch(`/api/v1/pushes/${String(id)}`)).text());
  const metrics = await (await fetch(`${world.url}/metrics`)).text();
  return [
    await world.dumpDatabase(),
    world.logText(),
    metrics,
    JSON.stringify(slack.posts),
    JSON.stringify(hook.deliveries),
    ...pages,
    said,
  ].join("\n");
}
