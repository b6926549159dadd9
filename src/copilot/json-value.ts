/** Reading JSON whose shape only the other side knows: every accessor answers something harmless for what is not there. */
import { createHash } from "node:crypto";

export type JsonObject = Readonly<Record<string, unknown>>;

export const asObject = (value: unknown): JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const asArray = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
export const asText = (value: unknown): string => (typeof value === "string" ? value : "");
export const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);
export const countOrNull = (value: unknown): number | null =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= 0x7fffffff ? value : null;

export function parseObject(text: string): JsonObject {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return {};
  }
}

/** The object without these names. */
export const without = (object: JsonObject, names: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));

/** Above this, text that is all base64 is an image or a file, and only its size and hash are kept. */
const LONG_BASE64 = 512;
const BASE64 = /^(?:data:[\w.+/;=-]+,)?[A-Za-z0-9+/_=-]+$/;

/** Stands for bytes that are not kept: the same picture shows as the same hash wherever it comes up again. */
export const bytesPlaceholder = (bytes: Buffer, what: string): string =>
  `[${bytes.length} ${what}, sha256 ${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}]`;

/** The value as JSON text, with embedded images and files replaced by their size and hash: the record keeps what was said. */
export const describeJson = (value: unknown): string =>
  JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === "string" && inner.length > LONG_BASE64 && BASE64.test(inner)
      ? bytesPlaceholder(Buffer.from(inner), "characters of base64")
      : inner,
  ) ?? "null";

/** Every text that stands under one of these names, wherever in the value; bounded in depth. */
export function textsUnder(value: unknown, names: ReadonlySet<string>, depth = 0): readonly string[] {
  if (typeof value !== "object" || value === null || depth > 20) return [];
  if (Array.isArray(value)) return value.flatMap((item) => textsUnder(item, names, depth + 1));
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) =>
    typeof inner === "string" ? (names.has(name) && inner !== "" ? [inner] : []) : textsUnder(inner, names, depth + 1),
  );
}
