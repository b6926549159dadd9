/** The JSON Schemas that the description is put together of. */
export type Schema = Readonly<Record<string, unknown>>;

export const text: Schema = { type: "string" };
export const id: Schema = { type: "string", format: "uuid" };
export const time: Schema = { type: "string", format: "date-time" };
export const count: Schema = { type: "integer", minimum: 0 };
export const flag: Schema = { type: "boolean" };
export const oid: Schema = { type: "string", pattern: "^[0-9a-f]{40}([0-9a-f]{24})?$" };
export const strings: Schema = { type: "array", items: text };
export const nullable = (schema: Schema): Schema => ({ anyOf: [schema, { type: "null" }] });
export const listOf = (items: Schema): Schema => ({ type: "array", items });
export const schemaRef = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** Every property is always there. */
export const object = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: "object",
  required: Object.keys(properties),
  properties,
});
export const extended = (base: string, properties: Readonly<Record<string, Schema>>): Schema => ({
  allOf: [schemaRef(base), object(properties)],
});
