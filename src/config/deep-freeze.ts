/** Plain objects and lists, all the way down; bytes cannot be frozen, maps are read-only by type. */
export function deepFreeze<T>(value: T): T {
  if (
    Array.isArray(value) ||
    (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype)
  ) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
