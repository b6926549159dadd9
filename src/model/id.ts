import { v7 } from "uuid";

/** A new row id: UUID version 7 (RFC 9562), so that ids sort by time of creation and index pages stay warm. */
export const newId = (): string => v7();

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether a text from outside can be an id; asking Postgres for another shape is an error there, not an empty answer. */
export const isId = (text: string): boolean => UUID.test(text);
