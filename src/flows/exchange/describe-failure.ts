/** What may be logged of a failure. Not the message of a database error: it quotes the statement's parameters, which are people's words. */
export function describeFailure(error: unknown): Readonly<Record<string, unknown>> {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return { name: typeof cause };
  const code = (cause as NodeJS.ErrnoException).code;
  return {
    name: cause.name,
    ...(code === undefined ? {} : { code }),
    at: cause.stack?.split("\n").find((line) => line.includes(" at ")),
  };
}
