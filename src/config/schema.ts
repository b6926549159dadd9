/** The shape of the configuration's files. What depends on other keys, on the environment or on files is `config.ts`'s. */
import { z } from "zod";
import { createPushPolicySchema } from "../policy/schema.ts";
import { durationSchema, personNameSchema } from "../policy/schema/approval.ts";
import { byteSizeSchema } from "../policy/schema/byte-size.ts";
import { modelPolicyShape } from "../policy/schema/models.ts";
import { repositoryPathGlobSchema } from "../policy/schema/globs.ts";
import { DEFAULT_WIRE_RULES } from "../model/connection.ts";
import { GITHUB_DEFAULTS, githubSchema } from "./github-schema.ts";
import { identitySchema } from "./identity-schema.ts";
import { linearPatternSchema } from "./linear-pattern.ts";
import { baseUrlSchema, listenSchema, networkSchema, secretSchema } from "./values.ts";

const CREDENTIAL_EXPECTED =
  "expected passthrough, { bearer: … } or { username: …, password: … }, with secrets as { env: NAME } or { file: PATH }";

const bearerSchema = z.strictObject({ bearer: secretSchema });
const basicSchema = z.strictObject({
  username: z
    .string()
    .regex(/^[!-9;-~]+$/, { error: "expected a user name of printable ASCII characters, without a colon (RFC 7617)" }),
  password: secretSchema,
});
const passthroughSchema = z.literal("passthrough");

const allowSchema = z
  .array(personNameSchema)
  .default([])
  .describe('Who may use it: group names, user:EMAIL, or "*" for every signed-in person. Absent: nobody.');

const accessSchema = z.strictObject({
  repositories: z
    .array(repositoryPathGlobSchema)
    .min(1, { error: "name at least one repository" })
    .describe("Globs over paths below the connection. Case counts."),
  read: z.array(personNameSchema).default([]),
  write: z.array(personNameSchema).default([]),
});

const gitConnectionSchema = z.strictObject({
  kind: z.literal("git"),
  url: baseUrlSchema.describe("The Git host's base URL."),
  credential: z
    .union([passthroughSchema, bearerSchema, basicSchema], { error: CREDENTIAL_EXPECTED })
    .optional()
    .describe("How the gateway signs in. Absent: not at all, and the client's own credential is taken off."),
  allow: allowSchema,
  access: z
    .array(accessSchema)
    .optional()
    .describe("Read and write by repository path. Absent: allow may do everything; present: only what is named."),
  dumb: z
    .enum(["refuse", "pass"])
    .default("refuse")
    .describe("Whether clients that know only the dumb HTTP protocol may fetch, file by file. Default refuse."),
});

const pathRuleSchema = z.strictObject({
  path: z
    .string()
    .regex(/^\/[!-~]*$/, { error: "expected a glob over the path below the connection, as in /agents/**" })
    .describe("A glob over the path below the connection: * within a segment, ** across."),
  methods: z
    .array(z.string().regex(/^[A-Z]+$/, { error: "expected a method in capitals, as in POST" }))
    .default([])
    .describe("Absent: every method."),
  do: z.enum(["relay", "refuse"]),
  ids: z
    .enum(["own", "any"])
    .default("own")
    .describe(
      "own: ids in the path work only for the person who got them. any: for everybody who may use the connection.",
    ),
});

const headerCredentialSchema = z.strictObject({
  header: z.enum(["x-api-key", "api-key"], { error: "expected x-api-key or api-key" }),
  value: secretSchema,
});

/** The API of a model: GitHub's Copilot, or one that speaks OpenAI's or Anthropic's wire. */
const modelConnectionSchema = <K extends string>(kind: K, what: string) =>
  z.strictObject({
    kind: z.literal(kind),
    url: baseUrlSchema.describe(`${what}'s base URL.`),
    proxyUrl: baseUrlSchema.optional().describe("The ghost-text host's base URL. Absent: the same."),
    credential: z
      .union([passthroughSchema, bearerSchema, headerCredentialSchema], {
        error: "expected passthrough, { bearer: { env: NAME } } or { header: x-api-key, value: { env: NAME } }",
      })
      .optional()
      .describe("How the gateway signs in. Absent: not at all, and the client's own credential is taken off."),
    allow: allowSchema,
    paths: z
      .array(pathRuleSchema)
      .default([])
      .describe(
        "What is relayed beyond stateless inference, and what of that is refused. The first line that matches decides.",
      ),
    websocket: z
      .enum(["relay", "refuse"])
      .default(DEFAULT_WIRE_RULES.websocket)
      .describe("Whether /responses may become a WebSocket, recorded message by message. Refused, clients use HTTP."),
    telemetry: z
      .enum(["drop", "strip", "mask"])
      .default(DEFAULT_WIRE_RULES.telemetry)
      .describe("drop: telemetry goes nowhere. strip: only what counts and measures goes on. mask: all of it, masked."),
    telemetryUrl: baseUrlSchema.optional().describe("Where telemetry goes that is not dropped. Absent: to url."),
    mcpTools: z
      .array(z.string().min(1))
      .default([])
      .describe("Globs of MCP tools that may be called although their name does not say that they only read."),
    clientAccount: z
      .enum(["drop", "pass"])
      .default(DEFAULT_WIRE_RULES.clientAccount)
      .describe(
        "Whether a client's OpenAI-Organization and OpenAI-Project (and X-Goog-User-Project) go on under a credential that the gateway holds. With passthrough they always do.",
      ),
    ...modelPolicyShape,
  });

/** Names that addresses use or will use where a connection's name could stand. */
const RESERVED = ["api", "login", "sallyport", "u"];

const connectionNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]*$/, {
    error: "a connection's name is lower-case letters, digits and hyphens",
    abort: true,
  })
  .refine((name) => !RESERVED.includes(name), {
    error: `this name is taken by the gateway itself: ${RESERVED.join(", ")}`,
  });

const notifierNameSchema = z
  .string()
  .min(1)
  .optional()
  .describe("Tells notifiers of one kind apart. Default: the kind.");

const notifierSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("slack"),
    name: notifierNameSchema,
    token: secretSchema,
    channel: z.string().min(1, { error: "expected a channel, as in #pushes" }),
    apiUrl: baseUrlSchema.optional().describe("Slack's Web API, or what stands in for it."),
  }),
  z.strictObject({
    kind: z.literal("webhook"),
    name: notifierNameSchema,
    url: baseUrlOrEndpoint(),
    secret: secretSchema.optional().describe("Signs the body. Absent: unsigned."),
  }),
]);

/** A webhook is one address: no slash is appended, and a query may be part of it. */
function baseUrlOrEndpoint() {
  return z
    .string()
    .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
      error: "expected an http:// or https:// URL",
      abort: true,
    })
    .refine((text) => new URL(text).username === "" && new URL(text).password === "", {
      error: "take the user name and password out of the URL: addresses are shown and logged",
    })
    .meta({ format: "uri" });
}

const approvalsSchema = z.strictObject({
  signInMaxAge: durationSchema
    .default(12 * 3_600_000)
    .describe("Under an identity provider: how old the sign-in of who decides may be. Default 12h."),
});

/** One entry of `pushes:`. Policy has its shape; what patterns may be is known here. */
export const pushPolicySchema = createPushPolicySchema(linearPatternSchema);

const DEFAULT_CACHE_BYTES = 5 * 2 ** 30;
const DEFAULT_SPOOL_BYTES = 2 ** 30;

/** A whole configuration; every key may be left out. */
export const configSchema = z.strictObject({
  listen: listenSchema.optional().describe("host:port. Default 127.0.0.1:8080. SALLYPORT_LISTEN wins."),
  publicUrl: baseUrlSchema
    .optional()
    .describe("How people reach it. Default: the listen address. SALLYPORT_PUBLIC_URL wins."),
  tls: z
    .strictObject({
      certificate: z.string().min(1).describe("The certificate, its chain behind it, relative to this file."),
      key: z.string().min(1).describe("Its private key, without a passphrase, relative to this file."),
    })
    .optional()
    .describe("PEM files. Read again at SIGHUP and when they change. Absent: plain HTTP."),
  trustedProxies: z
    .array(networkSchema)
    .default([])
    .describe(
      "Networks of the proxies in front of it, whose word on where requests come from is believed. Default none.",
    ),
  proxyHeader: z
    .enum(["x-forwarded-for", "forwarded"])
    .default("x-forwarded-for")
    .describe("The header in which they say so; the other one is anybody's, and not read. Default x-forwarded-for."),
  identity: identitySchema.optional(),
  connections: z
    .record(
      connectionNameSchema,
      z.discriminatedUnion("kind", [
        gitConnectionSchema,
        modelConnectionSchema("copilot", "The Copilot API"),
        modelConnectionSchema("openai", "An API that speaks OpenAI's wire"),
        modelConnectionSchema("anthropic", "An API that speaks Anthropic's wire"),
      ]),
    )
    .default({}),
  github: githubSchema.default(GITHUB_DEFAULTS).describe("The sign-in of Copilot's and Git's clients at the gateway."),
  secrets: z
    .strictObject({
      rules: z
        .array(z.string().min(1))
        .min(1, { error: "name at least one set of rules; builtin is the gateway's own" })
        .default(["builtin"])
        .describe("builtin, and files relative to this one."),
    })
    .default({ rules: ["builtin"] }),
  pushes: z.array(pushPolicySchema).default([]).describe("The first entry whose repositories match decides."),
  cache: z
    .strictObject({
      maxBytes: byteSizeSchema
        .default(DEFAULT_CACHE_BYTES)
        .describe("Of what is kept of repositories to read pushes against. Default 5GiB."),
    })
    .default({ maxBytes: DEFAULT_CACHE_BYTES }),
  recording: z
    .strictObject({
      mask: z
        .enum(["stored", "sent"])
        .default("stored")
        .describe("stored: what is kept is masked. sent: what goes to the model is, too."),
      prompts: z
        .enum(["pass", "mask", "refuse"])
        .optional()
        .describe("Secrets on their way to a model. Default: pass, and mask where mask is sent."),
      answers: z.enum(["pass", "mask"]).default("pass").describe("Secrets on their way from a model to the client."),
      keep: durationSchema.default(400 * 86_400_000).describe("How long exchanges and fetches are kept. Default 400d."),
      spool: byteSizeSchema
        .default(DEFAULT_SPOOL_BYTES)
        .describe("Of records that may wait on the local disk while the database is away. Default 1GiB."),
    })
    .default({ mask: "stored", answers: "pass", keep: 400 * 86_400_000, spool: DEFAULT_SPOOL_BYTES }),
  approvals: approvalsSchema.default({ signInMaxAge: 12 * 3_600_000 }).describe("For every decision on a held push."),
  notify: z.array(notifierSchema).default([]),
  auditors: z
    .array(personNameSchema)
    .default([])
    .describe('Who may read everything that is recorded: group names, user:EMAIL, or "*". Absent: nobody.'),
  operators: z
    .array(personNameSchema)
    .default([])
    .describe("Who may stop what other people have running with a model: group names or user:EMAIL. Absent: nobody."),
  keys: z
    .strictObject({
      fingerprint: secretSchema
        .optional()
        .describe(
          "32 bytes as 64 hex digits: keys the fingerprints of secrets. Absent: made once, in the data directory.",
        ),
    })
    .default({}),
});

export type ParsedConfig = z.output<typeof configSchema>;
/** The top-level keys that could be read. */
export type ConfigParts = Partial<ParsedConfig>;

/** The schema for editors (yaml-language-server reads draft 7 best); shipped as `policies/config.schema.json`. */
export const configJsonSchema = (): Record<string, unknown> => ({
  ...z.toJSONSchema(configSchema, { io: "input", target: "draft-7" }),
  title: "Sallyport configuration",
});
