import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { KNOWN_CLIENTS } from "../../src/model/oauth-client.ts";
import { loadConfig } from "../../src/config.ts";
import { directoryWith, loaded, yaml } from "./files.ts";

const FULL = `
listen: "[::1]:9000"
publicUrl: https://gateway.example.com
connections:
  code:
    kind: git
    url: https://git.example.com/scm
    credential: { username: gateway, password: { env: GIT_TOKEN } }
    allow: [eng, "user:ada@example.com"]
    access:
      - { repositories: ["team-a/**"], read: [eng], write: [team-a] }
  mirror: { kind: git, url: http://mirror.example.com/ }
  own: { kind: git, url: https://own.example.com/, credential: passthrough, allow: ["*"] }
  copilot:
    kind: copilot
    url: https://api.example.com
    proxyUrl: https://proxy.example.com
    credential: { bearer: { file: token.txt } }
    models: [{ names: ["gpt-*"], allow: [eng] }]
    limits: [{ people: ["*"], requestBytes: 1MB, requestsPerMinute: 60 }]
    databaseAway: spool
pushes:
  - repositories: ["code/**"]
    protect: [{ refs: [refs/heads/main], approvers: [release], wait: 0s }]
cache: { maxBytes: 20GB }
recording: { mask: sent, answers: mask, keep: 30d, spool: 64MiB }
notify:
  - { kind: slack, token: { env: SLACK }, channel: "#pushes", apiUrl: http://127.0.0.1:1/api }
  - { kind: webhook, url: "https://hook.example.com/x?y=1", secret: { env: HOOK } }
auditors: [audit]
trustedProxies: [10.0.0.0/8, "fd00::1"]
proxyHeader: forwarded
approvals: { signInMaxAge: 8h }
identity:
  oidc:
    issuer: https://idp.example.com/realms/x
    clientId: sallyport
    clientSecret: { env: OIDC_SECRET }
    clientAuthentication: client_secret_post
    name: Acme
    scopes: [openid, groups]
    groupsClaim: [realm_access, roles]
    groupsMaxAge: 7d
    emailVerifiedClaim: xms_edov
    audiences: [sallyport, api]
    clients: [cli]
    authTime: assumed
    domains: { example.com: [eng] }
    overage: { url: "https://graph.example.com/me/groups?$top=999" }
operators: [ops]
keys: { fingerprint: { env: KEY } }
`;
const KEY = "ab".repeat(32);
const given = {
  files: { ...yaml(FULL).files, "token.txt": "from-a-file\n" },
  env: { GIT_TOKEN: "from-env", SLACK: "xoxb-1", HOOK: "hook", OIDC_SECRET: "client", KEY },
};

describe("loadConfig", () => {
  it("reads every key of the contract", async () => {
    const { cwd, ...config } = await loaded(given);
    expect(config).toEqual({
      listen: { host: "::1", port: 9000 },
      tls: null,
      github: {
        connection: "copilot",
        clients: new Map(KNOWN_CLIENTS.map((client) => [client.id, client])),
        tokenMs: 90 * 86_400_000,
      },
      publicUrl: "https://gateway.example.com",
      dataDir: join(cwd, ".sallyport"),
      databaseUrl: null,
      connections: new Map<string, unknown>([
        [
          "code",
          {
            kind: "git",
            name: "code",
            url: "https://git.example.com/scm/",
            credential: { kind: "basic", username: "gateway", password: "from-env" },
            allow: ["eng", "user:ada@example.com"],
            access: [{ repositories: ["team-a/**"], read: ["eng"], write: ["team-a"] }],
            dumb: "refuse",
          },
        ],
        [
          "mirror",
          {
            kind: "git",
            name: "mirror",
            url: "http://mirror.example.com/",
            credential: { kind: "none" },
            allow: [],
            access: null,
            dumb: "refuse",
          },
        ],
        [
          "own",
          {
            kind: "git",
            name: "own",
            url: "https://own.example.com/",
            credential: { kind: "passthrough" },
            allow: ["*"],
            access: null,
            dumb: "refuse",
          },
        ],
        [
          "copilot",
          {
            kind: "copilot",
            name: "copilot",
            url: "https://api.example.com/",
            proxyUrl: "https://proxy.example.com/",
            credential: { kind: "bearer", token: "from-a-file" },
            allow: [],
            rules: {
              paths: [],
              websocket: "relay",
              telemetry: "drop",
              telemetryUrl: null,
              mcpTools: [],
              clientAccount: "drop",
            },
            policy: {
              models: [{ names: ["gpt-*"], allow: ["eng"] }],
              limits: [{ people: ["*"], requestBytes: 1_000_000, requestsPerMinute: 60, streams: null }],
              databaseAway: "spool",
              unreadable: "refuse",
            },
          },
        ],
      ]),
      pushes: [expect.objectContaining({ repositories: ["code/**"], refuse: ["force-push", "delete"] })],
      secretRules: [{ name: "./rules/ours.yaml", text: "rules: []\n" }],
      cacheBytes: 20_000_000_000,
      recording: { prompts: "mask", answers: "mask", keepMs: 30 * 86_400_000, spoolBytes: 64 * 2 ** 20 },
      notify: [
        { kind: "slack", name: "slack", token: "xoxb-1", channel: "#pushes", apiUrl: "http://127.0.0.1:1/api/" },
        { kind: "webhook", name: "webhook", url: "https://hook.example.com/x?y=1", secret: "hook" },
      ],
      key: Uint8Array.from(Buffer.from(KEY, "hex")),
      policyVersion: expect.stringMatching(/^[0-9a-f]{64}$/),
      identity: {
        issuer: "https://idp.example.com/realms/x",
        clientId: "sallyport",
        clientSecret: "client",
        clientAuthentication: "client_secret_post",
        name: "Acme",
        scopes: ["openid", "groups"],
        groupsClaim: ["realm_access", "roles"],
        groupsMaxAgeMs: 7 * 86_400_000,
        emailVerifiedClaim: "xms_edov",
        audiences: ["sallyport", "api"],
        clients: ["cli"],
        authTime: "assumed",
        domains: { "example.com": ["eng"] },
        overage: { url: "https://graph.example.com/me/groups?$top=999", property: "id" },
      },
      proxies: { trusted: ["10.0.0.0/8", "fd00::1/128"], header: "forwarded" },
      approvals: { signInMaxAgeMs: 8 * 3_600_000 },
      auditors: ["audit"],
      operators: ["ops"],
      sources: ["config.yaml"],
    });
  });

  it("takes a provider as the contract shows it, and the environment's listen with it", async () => {
    const text =
      "identity: { oidc: { issuer: 'https://idp.example', clientId: sallyport, clientSecret: { env: S }, groupsClaim: groups } }";
    const { listen, identity, approvals } = await loaded({
      ...yaml(text),
      env: { S: "s", SALLYPORT_LISTEN: "0.0.0.0:8443" },
    });
    expect(listen).toEqual({ host: "0.0.0.0", port: 8443 });
    expect(approvals).toEqual({ signInMaxAgeMs: 43_200_000 });
    expect(identity).toEqual({
      issuer: "https://idp.example",
      clientId: "sallyport",
      clientSecret: "s",
      clientAuthentication: null,
      name: "idp.example",
      scopes: ["openid", "email", "profile"],
      groupsClaim: "groups",
      groupsMaxAgeMs: 86_400_000,
      emailVerifiedClaim: "email_verified",
      audiences: ["sallyport"],
      clients: null,
      authTime: "required",
      domains: null,
      overage: null,
    });
  });

  it("is frozen all the way down", async () => {
    const config = await loaded(given);
    expect(() => Object.assign(config.pushes[0] ?? {}, { secrets: "observe" })).toThrow(TypeError);
    expect(() => Object.assign(config.connections.get("code") ?? {}, { url: "http://evil" })).toThrow(TypeError);
    expect(() => Object.assign(config.listen, { port: 1 })).toThrow(TypeError);
  });

  it("has a default for everything", async () => {
    const config = await loaded(yaml(""));
    expect(config).toMatchObject({
      listen: { host: "127.0.0.1", port: 8080 },
      publicUrl: "http://127.0.0.1:8080",
      pushes: [],
      cacheBytes: 5 * 2 ** 30,
      recording: { prompts: "pass", answers: "pass", keepMs: 400 * 86_400_000, spoolBytes: 2 ** 30 },
      notify: [],
      key: null,
    });
    expect(config.connections.size).toBe(0);
  });

  it("lets the environment win over the file", async () => {
    const env = {
      SALLYPORT_LISTEN: "localhost:0",
      SALLYPORT_PUBLIC_URL: "https://other.example.com/sally/",
      SALLYPORT_DATA: "elsewhere",
      DATABASE_URL: "postgres://u:p@db/sally",
    };
    const config = await loaded({ ...given, env: { ...given.env, ...env } });
    expect(config).toMatchObject({
      listen: { host: "localhost", port: 0 },
      publicUrl: "https://other.example.com/sally",
      dataDir: join(config.cwd, "elsewhere"),
      databaseUrl: "postgres://u:p@db/sally",
    });
  });

  it("takes an empty variable for one that is not set", async () => {
    const env = { SALLYPORT_LISTEN: "", SALLYPORT_PUBLIC_URL: "", SALLYPORT_DATA: "", DATABASE_URL: "" };
    expect(await loaded({ ...yaml(""), env })).toMatchObject({ listen: { port: 8080 }, databaseUrl: null });
  });

  it("names the public address after an IPv6 one with brackets", async () => {
    expect(await loaded(yaml('listen: "[::1]:80"'))).toMatchObject({ publicUrl: "http://[::1]:80" });
  });

  it("merges the YAML files of a directory by top-level key, and reads nothing else in it", async () => {
    const config = await loaded({
      files: {
        "conf/10-listen.yaml": "listen: 127.0.0.1:1\n",
        "conf/20-rules.yml": "secrets: { rules: [../rules/ours.yaml] }\n",
        "conf/config.schema.json": '{ "listen": 5 }',
        "conf/.hidden.yaml": "listen: 5",
        "conf/below/x.yaml": "listen: 5",
        "conf/empty.yaml": "# nothing yet\n",
      },
      paths: ["conf"],
    });
    expect(config).toMatchObject({ listen: { port: 1 }, secretRules: [{ text: "rules: []\n" }] });
    expect(config.sources).toEqual(["conf/10-listen.yaml", "conf/20-rules.yml", "conf/empty.yaml"]);
  });

  it("follows --config before SALLYPORT_CONFIG", async () => {
    const files = {
      ...yaml("listen: 127.0.0.1:1").files,
      "other.yaml": yaml("listen: 127.0.0.1:2").files["config.yaml"] ?? "",
    };
    const env = { SALLYPORT_CONFIG: "other.yaml" };
    expect(await loaded({ files, env })).toMatchObject({ listen: { port: 1 } });
    expect(await loaded({ files, env, paths: [] })).toMatchObject({ listen: { port: 2 } });
  });

  it("resolves aliases", async () => {
    const config = await loaded(
      yaml(`connections:
  a: { kind: git, url: https://a.example.com/, allow: &who [eng] }
  b: { kind: git, url: https://b.example.com/, allow: *who }`),
    );
    expect(config.connections.get("b")?.allow).toEqual(["eng"]);
  });
});

describe("the shipped default", () => {
  it("loads with nothing in the environment, protects main everywhere, and listens on loopback", async () => {
    const result = await loadConfig({ paths: [], env: {}, cwd: await directoryWith({}) });
    if (!result.ok) throw new Error(JSON.stringify(result.error));
    expect(result.value.listen).toEqual({ host: "127.0.0.1", port: 8080 });
    expect([...result.value.connections.keys()]).toEqual(["github", "copilot"]);
    expect(result.value.pushes[0]).toMatchObject({ repositories: ["**"], secrets: "reject" });
    expect(result.value.secretRules.map(({ name }) => name)).toContainEqual(
      expect.stringMatching(/^builtin\/.+\.yaml$/),
    );
  });
});

describe("policyVersion", () => {
  const version = async (text: string, rules = "rules: []\n"): Promise<string> =>
    (await loaded({ files: { ...yaml(text).files, "rules/ours.yaml": rules } })).policyVersion;
  const one = 'pushes: [{ repositories: ["**"], secrets: reject, wait: 60s }]';

  it("is the same for the same policy, however it is written and wherever it lies", async () => {
    expect(await version('pushes: [{ wait: 1m, repositories: ["**"] }] # default')).toBe(await version(one));
    expect(await version(`${one}\nlisten: 127.0.0.1:1`)).toBe(await version(one));
  });

  it("changes with the policy and with the rules", async () => {
    const versions = [
      await version(one),
      await version(one.replace("reject", "observe")),
      await version(one.replace("**", "*/a")).catch(() => ""),
      await version(one, "rules: [] # changed\n"),
    ];
    expect(new Set(versions).size).toBe(4);
  });
});

describe("signers of commits", () => {
  const KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIDMyIGJ5dGVzIHRoYXQgc3RhbmQgZm9yIGEgcG9pbnQu";
  const load = (name: string, signers: string) => {
    const { files } = yaml(`pushes: [{ repositories: ["**"], commits: { signed: true, signers: ${name} } }]`);
    return loaded({ files: { ...files, [name]: signers } });
  };

  it("are read from the file, and are part of the policy; its name is not", async () => {
    const config = await load("signers", `ana@example.com ssh-ed25519 ${KEY}`);
    expect(config.pushes[0]?.commits).toMatchObject({
      signed: true,
      signersFile: null,
      signers: [
        { principals: ["ana@example.com"], keyType: "ssh-ed25519", key: KEY, validAfter: null, validBefore: null },
      ],
    });
    const elsewhere = await load("elsewhere", `# comment\nana@example.com ssh-ed25519 ${KEY} laptop`);
    const other = await load("signers", `bob@example.com ssh-ed25519 ${KEY}`);
    expect(elsewhere.policyVersion).toBe(config.policyVersion);
    expect(other.policyVersion).not.toBe(config.policyVersion);
  });
});
