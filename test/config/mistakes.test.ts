import { describe, expect, it } from "vitest";
import { mistakes, yaml } from "./files.ts";

/** Line 1 is the rules'; what a test writes begins in line 2. */
const of = (text: string) => mistakes(yaml(text));
const git = (rest: string) => `connections:\n  code: { kind: git, url: https://git.example.com/, ${rest} }`;

/** A provider that is right, but for what comes after. */
const oidc = (more: string): string =>
  `identity: { oidc: { ${more.startsWith("issuer") ? "" : "issuer: 'https://idp.example.com', "}clientId: x, ${more} } }`;

describe("mistakes in the configuration", () => {
  it("are told beside a key that stands twice, which hides none of them", async () => {
    const found = await of("lisen: 127.0.0.1:80\nrecording: { keep: 400d, keep: 1d }\nauditors: all");
    expect(found).toHaveLength(3);
    for (const [index, part] of ["lisen", "stands twice", "auditors"].entries()) expect(found[index]).toContain(part);
  });

  it("are told all at once, in order, with file, line, column and place", async () => {
    const found = await of(`
lisen: 127.0.0.1:80
connections:
  code:
    kind: git
    credential: { username: gateway, passwort: { env: X } }
  Bad_Name: { kind: git, url: https://x.example.com/ }
  copilot:
    kind: copilt
    url: https://x.example.com/
pushes:
  - repositories: ["cod/**"]
    secrets: rejct
    protect:
      - refs: [main]
        approvers: []
        wait: 5 minutes
recording: { keep: 400 }
notify:
  - { kind: slack, token: { env: NOT_SET }, channel: "#x" }
`);
    expect(found).toEqual([
      "config.yaml:3:1: lisen: unknown key; did you mean listen?",
      "config.yaml:5:3: connections.code.url: is missing; add url",
      "config.yaml:7:5: connections.code.credential.password: is missing; add password",
      "config.yaml:7:38: connections.code.credential.passwort: unknown key; did you mean password?",
      "config.yaml:7:55: connections.code.credential.passwort.env: the environment variable X is not set; set it before the gateway starts, or name a { file: … }",
      "config.yaml:8:3: connections.Bad_Name: a connection's name is lower-case letters, digits and hyphens",
      "config.yaml:10:11: connections.copilot.kind: expected git or copilot or openai or anthropic; did you mean copilot?",
      "config.yaml:14:14: pushes[0].secrets: expected reject, hold, observe, or a mapping as in { mode: reject, approvers: [security] }; did you mean reject?",
      "config.yaml:16:16: pushes[0].protect[0].refs[0]: expected the full name of a ref or a glob over it, as in refs/heads/main or refs/heads/release/*",
      "config.yaml:17:9: pushes[0].protect[0].approvers: at least one approver is needed, or nobody can ever approve",
      "config.yaml:18:15: pushes[0].protect[0].wait: expected a duration such as 60s, 5m, 24h or 400d",
      "config.yaml:19:20: recording.keep: expected a duration such as 60s, 5m, 24h or 400d",
      "config.yaml:21:34: notify[0].token.env: the environment variable NOT_SET is not set; set it before the gateway starts, or name a { file: … }",
    ]);
  });

  it.each([
    ["a key that stands twice", "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2", "config.yaml:3:1: this key stands twice"],
    ["tabs", "recording:\n\tmask: stored", "indented by spaces"],
    ["an alias without an anchor", "listen: *nowhere", "no anchor"],
    ["an unknown tag", "listen: !secret x", "unknown YAML tag"],
    ["two documents", "listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2", "one document a file"],
    ["a list at the top", "", "", "- a\n"],
    ["a number for text", "listen: 8080", "config.yaml:2:9: listen: expected host:port"],
    ["a port that is none", "listen: 127.0.0.1:99999", "listen: expected host:port"],
    ["a listener that others reach", "listen: 0.0.0.0:8080", "loopback only"],
    ["a name that may mean any address", "listen: gateway.example.com:80", "loopback only"],
    [
      "a secret in the text",
      git("credential: { username: u, password: hunter2 }"),
      "config.yaml:3:90: connections.code.credential.password: a secret is never written here",
    ],
    [
      "a credential in the text",
      git("credential: hunter2"),
      "connections.code.credential: expected passthrough, { bearer: … } or",
    ],
    ["an empty credential", git("credential: {}"), "connections.code.credential: expected passthrough"],
    ["both forms of a credential", git("credential: { bearer: { env: HOME }, username: u }"), "username: unknown key"],
    ["a user name that ends early", git("credential: { username: 'a:b', password: { file: token } }"), "RFC 7617"],
    [
      "a secret file that is missing",
      git("credential: { bearer: { file: nowhere } }"),
      "connections.code.credential.bearer.file: the file cannot be read",
    ],
    ["a secret file of several lines", git("credential: { bearer: { file: config.yaml } }"), "more than one line"],
    [
      "a credential in a URL",
      "connections: { code: { kind: git, url: 'https://u:hunter2@git.example.com/' } }",
      "take the user name and password out",
    ],
    [
      "a URL of another kind",
      "connections: { code: { kind: git, url: 'ssh://git.example.com/' } }",
      "http:// or https://",
    ],
    ["a URL with a query", "connections: { code: { kind: git, url: 'https://git.example.com/?a=b' } }", "take ? and #"],
    ["no URL at all", "connections: { code: { kind: git, url: git.example.com } }", "expected a URL"],
    [
      "a connection without a kind",
      "connections: { code: { url: 'https://git.example.com/' } }",
      "connections.code.kind: is missing",
    ],
    [
      "access to a path with .git",
      git("access: [{ repositories: [a/b.git] }]"),
      "access[0].repositories[0]: repositories are named without .git",
    ],
    [
      "access to a path with a slash",
      git("access: [{ repositories: [/a] }]"),
      "config.yaml:3:79: connections.code.access[0].repositories[0]: a repository's path neither",
    ],
    ["a connection that is none", "connections: { code: 5 }", "connections.code: expected a mapping"],
    [
      "a reserved name",
      "connections: { api: { kind: git, url: 'https://git.example.com/' } }",
      "taken by the gateway itself",
    ],
    [
      "a policy for no connection",
      `${git("")}\npushes: [{ repositories: [core/x] }]`,
      "there is no connection core; did you mean code?",
    ],
    [
      "a policy for a Copilot connection",
      "connections: { ai: { kind: copilot, url: 'https://x.example.com/' } }\npushes: [{ repositories: [ai/x] }]",
      "ai is no Git connection",
    ],
    [
      "a policy that is never reached",
      `${git("")}\npushes: [{ repositories: ["**"] }, { repositories: [code/x] }]`,
      "pushes[1]: is never reached",
    ],
    [
      "two notifiers of one name",
      "notify: [{ kind: webhook, url: 'https://a.example.com' }, { kind: webhook, url: 'https://b.example.com' }]",
      "notify[1]: another notifier",
    ],
    ["an unknown notifier", "notify: [{ kind: pager }]", "notify[0].kind: expected slack or webhook"],
    [
      "a key of another length",
      "keys: { fingerprint: { file: config.yaml } }",
      "keys.fingerprint.file: the file holds more than one line",
    ],
    [
      "an issuer over plain HTTP",
      oidc("issuer: 'http://idp.example.com'"),
      "identity.oidc.issuer: expected an https:// URL",
    ],
    [
      "an issuer that is not one",
      oidc("issuer: 'https://idp.example.com/.well-known/openid-configuration'"),
      "expected the issuer",
    ],
    [
      "an issuer with a password",
      oidc("issuer: 'https://a:hunter2@idp.example.com'"),
      "take the user name and password out",
    ],
    ["an issuer with a query", oidc("issuer: 'https://idp.example.com/?a=1'"), "take ? out of the URL"],
    [
      "OIDC without a client",
      "identity: { oidc: { issuer: 'https://idp.example.com' } }",
      "identity.oidc.clientId: is missing",
    ],
    ["a client secret in the file", oidc("clientSecret: hunter2"), "a secret is never written here"],
    ["scopes without openid", oidc("scopes: [email]"), "openid has to be among them"],
    ["a scope that is two", oidc("scopes: ['openid email']"), "expected a scope"],
    ["groups that are never fresh", oidc("groupsMaxAge: 0s"), "let nobody in"],
    ["a domain that is an address", oidc("domains: { ana@example.com: [eng] }"), "expected a domain in lower case"],
    ["a domain's group that is everybody", oidc("domains: { example.com: ['*'] }"), "a group is a plain name"],
    ["nobody's JWTs", oidc("audiences: []"), "name at least one audience"],
    ["an overage over plain HTTP", oidc("overage: { url: 'http://graph.example.com/' }"), "expected an https:// URL"],
    ["an unknown key of the provider", oidc("groupClaim: x"), "did you mean groupsClaim?"],
    [
      "a sign-in's age that is none",
      "approvals: { signInMaxAge: soon }",
      "approvals.signInMaxAge: expected a duration",
    ],
    [
      "secrets that are let through to the model, which masking what is sent is to keep from it",
      "recording: { mask: sent, prompts: pass }",
      "recording.prompts: lets secrets through",
    ],
    [
      "relaying what cannot be read under a credential that everybody shares",
      "connections: { ai: { kind: copilot, url: 'https://x.example.com/', credential: { bearer: { env: TOKEN } }, unreadable: relay } }",
      "connections.ai.unreadable: is for connections whose credential is passthrough",
    ],
    ["a prototype for a key", "__proto__: { listen: x }", "__proto__: unknown key"],
    ["a merge key, which YAML 1.2 has not", "recording: { <<: { mask: sent } }", "recording.<<: unknown key"],
  ])("%s", async (_, text, expected, whole?: string) => {
    const found = whole === undefined ? await of(text) : await mistakes({ files: { "config.yaml": whole } });
    expect(found).toContainEqual(expect.stringContaining(expected || "expected a mapping at the top"));
    expect(found.join("\n")).not.toContain("hunter2");
  });

  it.each([
    ["./missing.yaml", "there is no such file"],
    ["./gitleaks.toml", "there is no such file"],
    ["./rules.txt", "expected builtin, or the path of a file with rules"],
  ])("rules %s", async (rule, expected) => {
    const found = await mistakes({ files: { "config.yaml": `secrets: { rules: [${rule}] }` } });
    expect(found).toEqual([expect.stringContaining(`config.yaml:1:20: secrets.rules[0]: `)]);
    expect(found[0]).toContain(expected);
  });

  it("no rules at all, or twice the same", async () => {
    expect(await mistakes({ files: { "config.yaml": "secrets: { rules: [] }" } })).toEqual([
      expect.stringContaining("name at least one set of rules"),
    ]);
    const twice = "secrets: { rules: [./rules/ours.yaml, ./rules/ours.yaml] }";
    expect(await mistakes({ files: { "config.yaml": twice } })).toEqual([
      expect.stringContaining("rules[1]: these rules are listed twice"),
    ]);
  });

  it("a key that is no key", async () => {
    const given = { ...yaml("keys: { fingerprint: { env: KEY } }"), env: { KEY: "hunter2" } };
    const found = await mistakes(given);
    expect(found).toEqual([expect.stringContaining("keys.fingerprint: expected 64 hex digits")]);
    expect(found.join("")).not.toContain("hunter2");
  });

  it("a secret with a line break inside, which would add a header", async () => {
    const given = { ...yaml(git("credential: { bearer: { env: T } }")), env: { T: "a\r\nX-Admin: 1" } };
    expect(await mistakes(given)).toEqual([expect.stringContaining("holds a line break")]);
  });

  it.each([
    ["SALLYPORT_LISTEN", "8080", "SALLYPORT_LISTEN: expected host:port"],
    ["SALLYPORT_LISTEN", "0.0.0.0:80", "SALLYPORT_LISTEN: without an identity provider"],
    ["SALLYPORT_PUBLIC_URL", "gateway", "SALLYPORT_PUBLIC_URL: expected a URL"],
    ["DATABASE_URL", "mysql://u:hunter2@h/d", "DATABASE_URL: expected postgres://"],
  ])("in %s", async (name, value, expected) => {
    const found = await mistakes({ ...yaml(""), env: { [name]: value } });
    expect(found).toEqual([expect.stringContaining(expected)]);
    expect(found.join("")).not.toContain("hunter2");
  });

  it("the same key in two files", async () => {
    const files = { "a.yaml": "\nlisten: 127.0.0.1:1\n", "b.yaml": "recording: {}\nlisten: 127.0.0.1:2\n" };
    expect(await mistakes({ files, paths: ["a.yaml", "b.yaml"] })).toEqual([
      "b.yaml:2:1: listen: is set in a.yaml too; keep one of them, files are merged by whole top-level keys",
    ]);
  });

  it("files that are not there, and directories with none", async () => {
    expect(await mistakes({ files: { "empty/x.json": "{}" }, paths: ["nowhere.yaml", "empty"] })).toEqual([
      "nowhere.yaml: there is no such file; check the path",
      "empty: there is no *.yaml file in this directory",
    ]);
  });

  it("aliases that stand for too much are not unfolded", async () => {
    const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
    for (let level = 0; level < 8; level++) {
      const [name, inner] = [String.fromCharCode(98 + level), String.fromCharCode(97 + level)];
      bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${inner}`).join(", ")}]`);
    }
    expect(await of(bomb.join("\n"))).toEqual([expect.stringContaining("stand for too much")]);
  });

  it("nesting too deep to read is a mistake, not a crash", async () => {
    expect(await of(`listen: ${"[".repeat(200_000)}`)).not.toEqual([]);
  });
});

describe("mistakes in push policies", () => {
  const pushes = (entry: string) => `${git("")}\npushes:\n  - repositories: ["code/**"]\n    ${entry}`;
  const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDMyIGJ5dGVzIHRoYXQgc3RhbmQgZm9yIGEgcG9pbnQu";

  it.each([
    [
      "a misspelt section",
      "commit: { signed: true }",
      "config.yaml:6:5: pushes[0].commit: unknown key; did you mean commits?",
    ],
    [
      "a misspelt key of a section",
      "files: { forbids: [a] }",
      "pushes[0].files.forbids: unknown key; did you mean forbid?",
    ],
    [
      "a misspelt limit",
      "limits: { packByte: 1MB }",
      "pushes[0].limits.packByte: unknown key; did you mean packBytes?",
    ],
    [
      "a limit that is no size",
      "limits: { packBytes: lots }",
      "config.yaml:6:26: pushes[0].limits.packBytes: expected a number of bytes",
    ],
    [
      "a pattern that RE2 has not",
      "commits: { message: '(?=a)' }",
      "config.yaml:6:25: pushes[0].commits.message: this pattern cannot be used",
    ],
    [
      "a check that there is not",
      "observe: [secret]",
      "config.yaml:6:15: pushes[0].observe[0]: expected namespaces or",
    ],
    ["a check that is misspelt", "observe: [secret]", "did you mean secrets?"],
    [
      "a rule without people",
      "pushers: [{ refs: [refs/heads/main] }]",
      "pushes[0].pushers[0].allow: is missing; add allow",
    ],
    [
      "signers in no file",
      "commits: { signed: true, signers: nowhere }",
      "config.yaml:6:39: pushes[0].commits.signers: this file of signers cannot be used: there is no such file",
    ],
    [
      "a limit of the cache that is none",
      "x: y\ncache: { maxBytes: -1 }",
      "cache.maxBytes: expected a number of bytes",
    ],
  ])("%s", async (_, entry, expected) => {
    expect(await of(pushes(entry))).toContainEqual(expect.stringContaining(expected));
  });

  it("in a file of signers are told with its own lines", async () => {
    const given = yaml(pushes("commits: { signed: true, signers: ./signers }"));
    const found = (text: string) => mistakes({ files: { ...given.files, signers: text } });
    expect(await found(`# people\nana@example.com ${KEY}\nbob@example.com cert-authority ${KEY}\nx\n`)).toEqual([
      expect.stringContaining("signers:3:1: certificates are not available here"),
      expect.stringContaining("signers:4:1: expected who"),
    ]);
    expect(await found("# nobody\n")).toEqual([expect.stringContaining("this file lists nobody who may sign commits")]);
    expect(await found(`ana@example.com ${KEY}\n`)).toEqual([]);
  });
});
