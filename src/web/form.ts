import type { Context } from "hono";

/**
 * The fields of a form that a browser posts, by name; a name that stands there more than once has a list.
 * @returns no fields for what says that it is a form, and cannot be read as one: then it is no form of ours
 */
export async function readForm(c: Context): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await c.req.parseBody({ all: true });
  } catch (error) {
    // What the Fetch standard throws for a body in parts that has none (§5.3, `formData()`); a body that is too large is something else.
    if (error instanceof TypeError) return {};
    throw error;
  }
}
