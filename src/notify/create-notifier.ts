import type { NotifierConfig } from "../model/notifier-config.ts";
import type { Notifier } from "./notifier.ts";
import { createSlackNotifier } from "./slack.ts";
import { createWebhookNotifier } from "./webhook.ts";

export const createNotifier = (config: NotifierConfig): Notifier =>
  config.kind === "slack" ? createSlackNotifier(config) : createWebhookNotifier(config);
