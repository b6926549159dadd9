import { v7 } from "uuid";

/** A new row id: UUID version 7 (RFC 9562), so that ids sort by time of creation and index pages stay warm. */
export const newId = (): string => v7();

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether a text from outside can be an id; asking Postgres for another shape is an error there, not an empty answer. */
export const isId = (text: string): boolean => UUID.test(text);

/** The least id that could be made at a moment: ids begin with their milliseconds (RFC 9562 §5.7), so lists are cut by time with it. */
export function firstIdOf(at: Date): string {
  const hex = Math.max(0, at.getTime()).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}
