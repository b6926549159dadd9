/** What the generic rules make of the same text in one file and in another: source, its tests, its documentation, configuration. */
import { expect, test } from "vitest";
import { builtin } from "./builtin-rules.ts";

const rulesIn = (text: string, path?: string): string[] => builtin.detect(text, path).map(({ rule }) => rule);

// Made up, and put together here so that no secret scanner takes this file for a leak.
const token = ["K6Xw2lZ9ABy8", "fU3qT7nR5mVd"].join("");
const [tokenName, keyName] = [["tok", "en"].join(""), ["K", "ey"].join("")];
const upper = tokenName.toUpperCase();
const assigned = `const access_${tokenName} = "${token}";\n`;
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
])("an identifier, a label or an expression is no secret: %s", (text) => {
  for (const path of ["src/client.ts", undefined]) expect(rulesIn(`${text}\n`, path)).toEqual([]);
});
