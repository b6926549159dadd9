/** What a connection to a model asks of every request. */
import { z } from "zod";
import { personNameSchema } from "./approval.ts";
import { byteSizeSchema } from "./byte-size.ts";

const modelRuleSchema = z.strictObject({
  names: z
    .array(z.string().min(1))
    .min(1, { error: "name at least one model" })
    .describe("Globs over models' names, as in gpt-5*. * does not reach over a slash, ** does. Case counts."),
  allow: z.array(personNameSchema).describe('Group names, user:EMAIL, or "*".'),
});

const count = (what: string) =>
  z
    .int({ error: `expected a number of ${what}` })
    .min(1)
    .optional();

const personLimitSchema = z.strictObject({
  people: z
    .array(personNameSchema)
    .min(1, { error: "say whom it is for" })
    .describe('Whom it is for: group names, user:EMAIL, or "*". The first entry that names a person counts.'),
  requestBytes: byteSizeSchema.optional().describe("Of one request."),
  requestsPerMinute: count("requests").describe("On average; as many at once."),
  streams: count("answers").describe("Answers at the same time."),
});

export const modelPolicyShape = {
  models: z
    .array(modelRuleSchema)
    .optional()
    .describe("Which models are for whom. Absent: every model. Present: nothing that is not named."),
  limits: z
    .array(personLimitSchema)
    .default([])
    .describe("What one person may ask for. Each gateway counts for itself."),
  databaseAway: z
    .enum(["refuse", "spool"])
    .default("refuse")
    .describe("While the database is away: refuse requests, or keep their records on the local disk for later."),
  unreadable: z
    .enum(["refuse", "relay"])
    .default("refuse")
    .describe("Requests that cannot be read in one way only: refuse them, or relay them with truncated on the record."),
};

const parsedSchema = z.strictObject(modelPolicyShape);
export type ParsedModelPolicy = z.output<typeof parsedSchema>;
