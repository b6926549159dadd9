import type { NotifierConfig } from "../model/notifier-config.ts";
import type { Notifier } from "./notifier.ts";
import { createSlackNotifier } from "./slack.ts";
import { createWebhookNotifier } from "./webhook.ts";

export const createNotifiers = (configs: readonly NotifierConfig[]): readonly Notifier[] =>
  configs.map((config) => (config.kind === "slack" ? createSlackNotifier(config) : createWebhookNotifier(config)));
