/** What is right by itself and wrong beside something else. Each check looks at the parts that could be read. */
import type { ConfigDocument } from "./document.ts";
import { githubMistakes } from "./github-schema.ts";
import { parseKey } from "./key.ts";
import { findNearest, valueAt, type ConfigMistake } from "./mistake.ts";
import type { ConfigParts } from "./schema.ts";
import type { Secrets } from "./secret-source.ts";
import { DEFAULT_LISTEN, isLoopback, type ListenAddress } from "./values.ts";

interface Subject {
  readonly document: ConfigDocument;
  readonly parts: ConfigParts;
  readonly secrets: Secrets;
  /** SALLYPORT_LISTEN, where it is set. */
  readonly envListen: ListenAddress | null;
}

export const checkAcrossKeys = ({ document, parts, secrets, envListen }: Subject): readonly ConfigMistake[] => [
  ...listenMistakes(document, parts, envListen),
  ...githubMistakes(document, parts),
  ...pushMistakes(document, parts),
  ...notifierMistakes(document, parts),
  ...recordingMistakes(document, parts),
  ...unreadMistakes(document, parts),
  ...keyMistakes(document, parts, secrets),
];

function listenMistakes(document: ConfigDocument, parts: ConfigParts, fromEnv: ListenAddress | null): ConfigMistake[] {
  const listen = fromEnv ?? parts.listen ?? DEFAULT_LISTEN;
  // Whoever wrote a provider that cannot be read meant to have one: that mistake is told already.
  if (isLoopback(listen.host) || valueAt(document.value, ["identity", "oidc"]) !== undefined) return [];
  const message =
    "without an identity provider the gateway listens on loopback only (127.0.0.1, ::1, localhost); put a proxy on the same machine in front, or set identity.oidc";
  return fromEnv === null
    ? [document.mistake(["listen"], message)]
    : [{ file: "SALLYPORT_LISTEN", line: null, column: null, path: "", message }];
}

/** Entries that can never apply: policy that is written and does nothing is worse than none. */
function pushMistakes(document: ConfigDocument, { pushes = [], connections }: ConfigParts): ConfigMistake[] {
  const mistakes: ConfigMistake[] = [];
  const all = pushes.findIndex(({ repositories }) => repositories.includes("**"));
  for (const [index, { repositories }] of pushes.entries()) {
    if (all !== -1 && index > all) {
      mistakes.push(
        document.mistake(
          ["pushes", index],
          `is never reached, since pushes[${all}] matches every repository; put it before`,
        ),
      );
    }
    for (const [at, pattern] of repositories.entries()) {
      const name = pattern.split("/", 1)[0] ?? "";
      if (connections === undefined || name.includes("*")) continue;
      const connection = Object.hasOwn(connections, name.toLowerCase()) ? connections[name.toLowerCase()] : undefined;
      if (connection?.kind === "git") continue;
      const nearest = findNearest(name, Object.keys(connections));
      const problem = connection === undefined ? `there is no connection ${name}` : `${name} is no Git connection`;
      const hint = connection === undefined && nearest !== null ? `; did you mean ${nearest}?` : "";
      mistakes.push(document.mistake(["pushes", index, "repositories", at], problem + hint));
    }
  }
  return mistakes;
}

function recordingMistakes(document: ConfigDocument, { recording }: ConfigParts): ConfigMistake[] {
  if (recording?.mask !== "sent" || recording.prompts !== "pass") return [];
  const message = "lets secrets through to the model, which mask: sent is to keep from it; take one of the two out";
  return [document.mistake(["recording", "prompts"], message)];
}

/** What cannot be read could point at another person's things upstream, where everybody shares one credential. */
const unreadMistakes = (document: ConfigDocument, { connections = {} }: ConfigParts): ConfigMistake[] =>
  Object.entries(connections).flatMap(([name, connection]) => {
    if (connection.kind === "git" || connection.unreadable !== "relay") return [];
    if (connection.credential === undefined || connection.credential === "passthrough") return [];
    const message =
      "is for connections whose credential is passthrough: under a shared one, the gateway has to read every request";
    return [document.mistake(["connections", name, "unreadable"], message)];
  });

function notifierMistakes(document: ConfigDocument, { notify = [] }: ConfigParts): ConfigMistake[] {
  const names = notify.map(({ name, kind }) => name ?? kind);
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [
          document.mistake(
            ["notify", index],
            `another notifier goes by the name ${name}; give this one a name of its own`,
          ),
        ],
  );
}

function keyMistakes(document: ConfigDocument, { keys }: ConfigParts, secrets: Secrets): ConfigMistake[] {
  const text = secrets.at("keys", "fingerprint");
  if (keys?.fingerprint === undefined || text === "" || parseKey(text) !== null) return [];
  return [document.mistake(["keys", "fingerprint"], "expected 64 hex digits; make some with openssl rand -hex 32")];
}
