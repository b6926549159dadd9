/**
 * Masks the strings of a parsed JSON value, so that the value keeps its shape.
 *
 * A string may hold JSON itself (the arguments of a tool call), in which a secret is written with escapes. Its string
 * literals are decoded, masked and written anew in place, so that all around them, long numbers included, stays as it was.
 */
const deepestNesting = 200;
/** Stands for what lies deeper: unread text is not kept. */
const tooDeep = "⟦not-scanned:nesting⟧";
/** Values beyond this length are looked at without the name that they stand under. */
const longestNamedValue = 4096;
const stringLiteral = /"(?:[^"\\]|\\.)*"/gs;
const startsLikeJson = /^\s*[[{"]/;

/**
 * @param mask masks one text, for example by `maskText`.
 * @returns a masked copy; property names are masked as well.
 */
export function maskJson(value: unknown, mask: (text: string) => string): unknown {
  return maskValue(value, mask, 0);
}

function maskValue(value: unknown, mask: (text: string) => string, depth: number): unknown {
  if (typeof value === "string") return maskString(value, mask, depth);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= deepestNesting) return tooDeep;
  if (Array.isArray(value)) return value.map((item) => maskValue(item, mask, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]: [string, unknown]) => [
      mask(name),
      typeof item === "string" ? maskNamed(name, item, mask, depth + 1) : maskValue(item, mask, depth + 1),
    ]),
  );
}

/** `{"password": "…"}`: what makes the value a secret is its name, so it is shown together with it. */
function maskNamed(name: string, value: string, mask: (text: string) => string, depth: number): string {
  const masked = maskString(value, mask, depth);
  if (masked !== value || value.length > longestNamedValue) return masked;
  const prefix = `${JSON.stringify(name)}: `;
  const pair = mask(prefix + JSON.stringify(value));
  if (!pair.startsWith(prefix)) return masked;
  const inPair = parseJson(pair.slice(prefix.length));
  return typeof inPair === "string" ? inPair : masked;
}

function maskString(text: string, mask: (text: string) => string, depth: number): string {
  const inside = startsLikeJson.test(text) ? parseJson(text) : undefined;
  if (typeof inside !== "object" && typeof inside !== "string") return mask(text);
  if (depth >= deepestNesting) return tooDeep;
  const literals = text.replace(stringLiteral, (literal) => {
    const plain = parseJson(literal);
    if (typeof plain !== "string") return literal;
    const masked = maskString(plain, mask, depth + 1);
    return masked === plain ? literal : JSON.stringify(masked);
  });
  // Once more as a whole: a name and its value stand in two literals.
  return mask(literals);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
