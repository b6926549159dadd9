/** The story did not come out as told. */
export class StoryError extends Error {
  override readonly name = "StoryError";
  readonly expected: string;
  readonly came: string;

  constructor(expected: string, came: string, options?: ErrorOptions) {
    super(`expected: ${expected}; came: ${came}`, options);
    this.expected = expected;
    this.came = came;
  }
}
