/** What the generic rules make of the same text in one file and in another: source, its tests, its documentation, configuration. */
import { expect, test } from "vitest";
import { builtin } from "./builtin-rules.ts";

const rulesIn = (text: string, path?: string): string[] => builtin.detect(text, path).map(({ rule }) => rule);

// Made up, and put together here so that no secret scanner takes this file for a leak.
const token = ["K6Xw2lZ9ABy8", "fU3qT7nR5mVd"].join("");
const [tokenName, keyName] = [["tok", "en"].join(""), ["K", "ey"].join("")];
const upper = tokenName.toUpperCase();
const assigned = `const access_${tokenName} = "${token}";\n`;
const hex = ["b5c21778289e660b", "c5767a868f06039f"].join("");
/** How a public key of P-256 begins (RFC 5480), and the rest of one. */
const spki = ["MFkwEwYHKoZIzj0CAQYI", "KoZIzj0DAQcDQgAE"].join("");
const point = "T3lqkB7Zr0XvWc2hUe9PnsGdYf5AiMoLtJ1xKz8wQbRuVgEy4HmD6jNSpaCFOI7q3Br0WkTz2XcLnUe5hPdGsYa==";
const login = `await signIn({ password: "${["Y4tCWNX", "Ebuti2"].join("")}" });\n`;

test.each(["src/client.ts", "src/contest/client.ts", "lib/latest.js", "examples/server.js", "app.py", undefined])(
  "a token in the source is told: %s",
  (path) => {
    expect(rulesIn(assigned, path)).toEqual(["generic-secret"]);
    expect(rulesIn(login, path)).toEqual(["generic-password"]);
  },
);

test.each([
  "test/client.ts",
  "packages/a/__tests__/deep/client.jsx",
  "src/client.test.ts",
  "src/client_spec.rb",
  "spec/models/client.rb",
  "fixtures/login.json",
  "src/testdata/answer.json",
  "test/data/ecdsa.json",
  "test/bitcoind/wallet_test_vectors.json",
  "src/sessionTest.js",
  "src/login/test-accounts.ts",
  "lib/test-utils/accounts.mjs",
  "e2e/login/steps.ts",
])("what the source of tests assigns is made up: %s", (path) => {
  expect(rulesIn(assigned + login, path)).toEqual([]);
});

test("a vendor's format is a secret in tests and documentation too, and so is a test's configuration", () => {
  const key = ["AK", "IA6NUU6OM73YMZGNTV"].join("");
  for (const path of ["test/client.ts", "README.md"])
    expect(rulesIn(`key = "${key}"`, path)).toEqual(["aws-access-key"]);
  expect(rulesIn(`API_${upper}=${token}\n`, "test/.env")).toHaveLength(1);
  expect(rulesIn(`{ "api_${tokenName}": "${token}" }\n`, "test/config.json")).toEqual(["generic-secret"]);
});

test("what is quoted in Markdown shows how to use something; what is to be copied into a shell does not", () => {
  expect(rulesIn(assigned, "docs/usage.md")).toEqual([]);
  expect(rulesIn(`export API_${upper}=${token}\n`, "docs/usage.md")).toEqual(["generic-secret-unquoted"]);
  expect(rulesIn(login, "docs/usage.md")).toEqual(["generic-password"]);
});

test("a comment for documentation shows how to use something; a list in YAML is none", () => {
  expect(rulesIn(`/**\n * ${assigned} */\n`, "src/client.ts")).toEqual([]);
  expect(rulesIn(`/**\n * ${login} */\n`, "src/client.ts")).toEqual([]);
  expect(rulesIn(`// ${assigned}`, "src/client.ts")).toEqual(["generic-secret"]);
  expect(rulesIn(` * ${assigned}`, "notes.txt")).toEqual(["generic-secret"]);
});

test("what stands without quotes in source is code, unless its line ends with it", () => {
  const unquoted = `token: ${token}`;
  expect(rulesIn(`// Send X-${tokenName}: ${token} with it.\n`, "src/client.ts")).toEqual([]);
  expect(rulesIn(`${unquoted}\n`, "src/client.ts")).toEqual(["generic-secret-unquoted"]);
  expect(rulesIn(`${unquoted} # of the sandbox\n`, "deploy/values.yaml")).toHaveLength(1);
});

test("a word with a number behind it is a password in configuration, and may be a name in source", () => {
  const text = `${["pass", "word"].join("")}: Harbour2024\n`;
  for (const path of ["config/application.yml", "docker-compose.yaml", "settings.toml", ".env.production"]) {
    expect(rulesIn(text, path), path).toEqual(["generic-password-config"]);
  }
  expect(rulesIn(text, "src/client.ts")).toEqual([]);
});

test("a word alone is a password in settings, but for the first that everybody takes; a text for people is none", () => {
  const name = ["DB_PASS", "WORD"].join("");
  const settings = [
    ".env",
    "deploy/.env.production",
    "src/main/resources/application.properties",
    "config/database.ini",
  ];
  for (const path of settings) {
    expect(rulesIn(`${name}=harbourlight\n`, path), path).toEqual(["configured-password-word"]);
    for (const word of ["postgres", "changeme", "yourdatabase", "homestead"]) {
      expect(rulesIn(`${name}=${word}\n`, path), word).toEqual([]);
    }
  }
  for (const path of ["messages_de.properties", "src/client.ts", "locales/de.json", undefined])
    expect(rulesIn(`${name}=Kennung\n`, path)).toEqual([]);
  expect(rulesIn(`{ "Mail": { "${name}": "harbourlight" } }`, "appsettings.json")).toEqual([
    "configured-password-word",
  ]);
});

test("a key that a library takes where nobody brings one is a key", () => {
  expect(rulesIn(`const defaultApi${keyName} = "${token}";\n`, "src/client.ts")).toEqual(["generic-secret"]);
});

test.each([
  'INVALID_CUSTOM_TOKEN: "auth/invalid-custom-token"',
  '"AUTH_TOKEN_ERROR": "urn.acme.Token2Expired"',
  'const credential: OAuth2ResourceServerCredential = "activateOAuth2ResourceServerJsonWebKey"',
  "credentials: RESTOAuth2TokenOptionalClientCredentials",
  'if (state.tokens.next.type === "(identifier)") {',
  "t.accessToken = null==n?void 0:n.accessToken",
  'kind: idTokenResponse === "identitytoolkit#SignupNewUserResponse"',
  "'X-Amz-Security-Token', 'Key-Pair-Id'",
  "headers.push({ name: 'x-api-key', value: apiKey })",
  'username: "Имя пользователя", password: "Пароль"',
  "state.prevToken = isDefKeyword ? def : style",
  "secretAccessKey: SandboxesSandboxAwsMountStaticAuthConfig.SecretAccessKey",
  '"@words": { token: "keyword.$0" }, end: { token: "keyword.tag-$S2" }',
  'let t = i.accessKey ? "?access_key=" + i.accessKey : "", u = "/grid?token="+this.at.token),verb:"GET"',
  'const lines = "m=login:"+e.user+" ;pwd:"+e.password+"; ";',
  'node.type === token.type ? "mdxTagTextNode" : token === "jsxTagTextNode"',
  'OP_SECRET: "LN-Op-Secret"',
  '["DECRYPTBYPASSPHRASE","ENCRYPTBYASYMKEY","FILENAMES"], setPassword("HTPASSWDFILE")',
  "var at = { token: 'h:09M30d11m,at:' }",
  "currentPasswordHashPrefix = 'argon2-sha512-v2:'",
  "export type PasswordHasher = 'argon2i' | 'scrypt3k'",
  '"token.cardReference": "4d74f0727a318b13f85aee28ae556a08d7d9cf9e6d67b70a62e60e334aa7090d"',
  'verificationToken: "This-is-a-fake-token__it-opens-nothing-77"',
  'recipe = { password: "my_mail_password" }, other = { password: "1234abcd" }',
  `"key": "${spki}${point}"`,
  `this.instrumentationKey = "${hex}"; track("/envelope/?sentry_key=${hex}&v=7")`,
  `// https://docs.google.com/spreadsheet/ccc?key=0Bq${point.slice(0, 40)}`,
  "static readonly REDDIT: OAuth2CredentialProviderVendor; Slack = LampDefinitionV2Slack",
  '"PublicSurveyMonkeyValueFilterValueComparison": PublicSurveyMonkeyValueFilterValueComparison_1.PublicSurveyMonkeyValue',
  "// It asks for a username and password combination",
  "var _auth =_this2.data.session",
  '{ chain, tokenAddress: "0x7aD03Ef1c6B2Aa0F2Eb5e898De02d704352Ab61c" }',
  'const RECOVERY_PASSWORD_FUNCTION = "arn:aws:lambda:eu-west-3:417355261086:function:recovery-password-two"',
  'single_token: "br,input,!doctype,h1,hr,wbr,param,img"',
  'const privateKey = "ed25519-priv-"',
  'credential: "eyJhbGciOiJFZERTQSI..."',
  'lblUser: "Ime:", lblPwd: "Lozinka:"',
  "AUTH0_CLIENT_SECRET=12345xyz",
  "url = 'https://tobi:key_12345..@lamps.acme.dev/'",
])("an identifier, a label or an expression is no secret: %s", (text) => {
  for (const path of ["src/client.ts", undefined]) expect(rulesIn(`${text}\n`, path)).toEqual([]);
});

const jwt = [
  ["eyJhbGciOiJIUzI1NiJ9", "eyJ1c2VyIjoibGFtcDciLCJvcmciOiI5In0"].join("."),
  "uQ0vX3kTzLrW8sYbN5cHd2mGfJp7aEi4RoVxK9yUtZw",
].join(".");
const bcrypt = ["$2b$", "12$mGaIy5ApMMqpYrEvd9DJCblugpRXgAUU01DTBv.7NfIGVRaHWEaUh"].join("");
const bearer = `headers: { "Authorization": "Bearer ${["daBnW0fNqbsVJUrl", "CVrWu8tsPRVEXLS2"].join("")}" }`;
const url = `fetch("http://tobi:${["l4n", "tern9"].join("")}@lamps.acme.dev/")`;

test.each([jwt, `const hash = "${bcrypt}";`, bearer, url])(
  "what a comment for documentation shows, and what tests bring along, is no token, hash or login: %#",
  (text) => {
    expect(rulesIn(`${text}\n`, "src/client.ts")).toHaveLength(1);
    expect(rulesIn(`/**\n * ${text}\n */\n`, "src/client.ts")).toEqual([]);
    expect(rulesIn(`${text}\n`, "test/client.js")).toEqual([]);
  },
);

test("Markdown shows in quotes what a header or a hash looks like", () => {
  expect(rulesIn(`    hash = "${bcrypt}"\n`, "README.md")).toEqual([]);
  expect(rulesIn(`    ${bearer}\n`, "README.md")).toEqual([]);
  expect(rulesIn(`curl -H 'Authorization: Bearer ${hex}' https://acme.dev\n`, "README.md")).toHaveLength(1);
});

test("a phrase of one word said over and over opens a wallet for tests", () => {
  const name = ["mnem", "onic"].join("");
  expect(rulesIn(`${name} = "${"tent ".repeat(11)}goat"`)).toEqual([]);
  expect(
    rulesIn(`${name}: "orbit lemon tunnel grape velvet sunny harbor pencil copper meadow timber fossil"`),
  ).toHaveLength(1);
});

test("the token of a badge reads a status, and nothing else", () => {
  const badge = `https://circleci.com/gh/acme/lamp.svg?style=svg&circle-token=${hex}7d1c0be9`;
  expect(rulesIn(`![](${badge})`)).toEqual([]);
  expect(rulesIn(badge.replace(".svg", ""))).toEqual(["circleci-token-legacy"]);
});

test("a password with a sign at its end is one, unless it is called so", () => {
  const assignment = ["pass", "word="].join("");
  expect(rulesIn(`?user=a&${assignment}Lantern92@ `)).toHaveLength(1);
  expect(rulesIn(`?user=a&${assignment}Secret123@ `)).toEqual([]);
});

test("the key of a page's element and the JSON that a comment shows are none in source", () => {
  const sha1 = `${hex}7d1c0be9`;
  const element = `return e("slot",{key:"${sha1}",class:"a"})`;
  expect(rulesIn(element, "dist/slot.js")).toEqual([]);
  expect(rulesIn(element, "slot.json")).toEqual(["generic-key"]);
  expect(rulesIn(`return e({signingKey:"${sha1}"})`, "dist/slot.js")).toEqual(["generic-key"]);
  const answer = `"rateLimit${tokenName[0]!.toUpperCase()}${tokenName.slice(1)}": "${token}",`;
  expect(rulesIn(`        //       ${answer}\n`, "src/client.ts")).toEqual([]);
  expect(rulesIn(`        ${answer}\n`, "src/client.ts")).toEqual(["generic-secret"]);
});
