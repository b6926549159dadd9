/** What a line of the log says besides its message. Never a secret; the logger masks what looks like one all the same. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where the rooms and flows tell what happens. Made by `log.ts`, handed down; tests hand in a list. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}
