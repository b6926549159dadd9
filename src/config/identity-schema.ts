/** `identity:`, the provider that people sign in at. */
import { z } from "zod";
import { durationSchema } from "../policy/schema/approval.ts";
import { isLoopback, secretSchema } from "./values.ts";

const text = (expected: string) => z.string({ error: expected }).min(1, { error: expected });

/** Whoever can change what a provider says on the way can be anybody. */
const isSafe = (address: string): boolean => {
  const { protocol, hostname } = new URL(address);
  return protocol === "https:" || (protocol === "http:" && isLoopback(hostname.replace(/^\[|\]$/g, "")));
};

/** Kept as it is written: issuers compare to the letter (OpenID Connect Core 1.0, 3.1.3.7). */
const addressSchema = z
  .string({ error: "expected a URL, as in https://idp.example.com" })
  .refine((address) => URL.canParse(address) && isSafe(address), {
    error: "expected an https:// URL (http:// on loopback only)",
    abort: true,
  })
  .refine((address) => new URL(address).username === "" && new URL(address).password === "", {
    error: "take the user name and password out of the URL: addresses are shown and logged",
    abort: true,
  })
  .refine((address) => new URL(address).hash === "", { error: "take # out of the URL" })
  .meta({ format: "uri" });

const issuerSchema = addressSchema
  .refine((address) => new URL(address).search === "", { error: "take ? out of the URL: an issuer has none" })
  .refine((address) => !address.includes("/.well-known/"), {
    error: "expected the issuer, which is what stands before /.well-known/openid-configuration",
  });

const GROUP_EXPECTED = 'a group is a plain name; "*" and "user:" mean something else';
const groupSchema = z
  .string()
  .min(1, { error: "expected a group's name" })
  .refine((name) => name !== "*" && !name.startsWith("user:"), { error: GROUP_EXPECTED });

const claimSchema = z
  .union([text("expected a claim's name"), z.array(text("expected a claim's name")).min(1)], {
    error: "expected a claim's name, as in groups, or the way down to it, as in [realm_access, roles]",
  })
  .describe("Where the groups stand: a claim (dots lead into objects), or a list of names. Default groups.");

export const oidcSchema = z.strictObject({
  issuer: issuerSchema.describe("As the provider writes it in its tokens."),
  clientId: text("expected the client's id, as the provider gave it"),
  clientSecret: secretSchema.optional().describe("Absent: a public client; PKCE is used either way."),
  clientAuthentication: z
    .enum(["client_secret_basic", "client_secret_post"])
    .optional()
    .describe("How the secret is presented. Absent: as the provider's metadata says."),
  name: text("expected a name for the sign-in button").optional().describe("For the sign-in page. Default: the host."),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, { error: "expected a scope, as in groups" }))
    .default(["openid", "email", "profile"])
    .refine((scopes) => scopes.includes("openid"), { error: "openid has to be among them" })
    .describe("What is asked for at the sign-in. Default openid, email, profile."),
  groupsClaim: claimSchema.default("groups"),
  groupsMaxAge: durationSchema
    .default(24 * 3_600_000)
    .refine((ms) => ms > 0, { error: "groups that are too old at once let nobody in" })
    .describe("How long groups count after the provider stated them; then one has to sign in again. Default 24h."),
  emailVerifiedClaim: text("expected a claim's name")
    .default("email_verified")
    .describe("What says that the e-mail address was verified: only then user:EMAIL names the person."),
  audiences: z
    .array(text("expected an audience"))
    .min(1, { error: "name at least one audience, or leave the key out" })
    .optional()
    .describe("Whom a JWT has to be for to be accepted as a credential. Default: the client's id."),
  clients: z
    .array(text("expected a client's id"))
    .min(1, { error: "name at least one client, or leave the key out" })
    .optional()
    .describe("Clients of the provider, besides the gateway's own, whose JWTs are taken. Absent: any client's."),
  authTime: z
    .enum(["required", "assumed"])
    .default("required")
    .describe("assumed: where the provider states no auth_time, the sign-in itself counts as one. Default required."),
  domains: z
    .record(
      z
        .string()
        .regex(/^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/, { error: "expected a domain in lower case, as in example.com" }),
      z.array(groupSchema),
    )
    .optional()
    .describe("Groups by the organisation's domain. Present: nobody of another domain may sign in."),
  overage: z
    .strictObject({
      url: addressSchema.describe("A Microsoft Graph address that lists the person's groups."),
      property: text("expected a property's name").default("id").describe("Which property names a group. Default id."),
    })
    .optional()
    .describe("Where to ask for groups that did not fit into a token. Absent: such people are refused."),
});

export const identitySchema = z.strictObject({ oidc: oidcSchema.optional() });
