import type { Message } from "../../../model/exchange.ts";
import { splitPrompt, takeApart } from "../../../model/prompt.ts";

const MAX_READ = 20_000;
const MAX_LINE = 160;

/** The first line of what the person typed last, without what the client put around it or before it; null where nobody typed anything. */
export function promptOf(
  messages: readonly { readonly role: string; readonly parts: Message["parts"] }[],
): string | null {
  const prompt = messages.findLast(({ role, parts }) => role === "user" && parts.some((part) => part.type === "text"));
  const texts = (prompt?.parts ?? []).flatMap((part) => (part.type === "text" ? [part.text.slice(0, MAX_READ)] : []));
  const own = texts.map((text) => takeApart(text).text).find((text) => text !== "");
  const [line = ""] = (own ?? splitPrompt(texts[0] ?? "").text).split("\n", 1);
  return line.trim() === "" ? null : line.trim().slice(0, MAX_LINE);
}
