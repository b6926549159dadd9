/**
 * A push certificate (gitprotocol-pack, "push-cert"): the text that a signed push carries instead of plain commands.
 *
 *     certificate version 0.1
 *     pusher <ident>
 *     pushee <url>
 *     nonce <nonce>
 *     push-option <option>        ; any number
 *                                 ; an empty line
 *     <command>                   ; one or more
 *     -----BEGIN PGP SIGNATURE-----   (or another kind that git knows)
 *     ...
 *
 * The commands are *inside*: who looks only for plain commands sees an empty push and lets everything pass.
 */
import { GatewayError } from "../errors.ts";
import { escapeLine } from "../model/printable.ts";
import type { RefUpdate } from "../model/ref-update.ts";
import { parseCommand, type ObjectFormat } from "./push-command.ts";

export interface PushCertificate {
  readonly updates: readonly RefUpdate[];
  readonly pushOptions: readonly string[];
  /** The address that the client pushed to; null where the certificate does not say. */
  readonly pushee: string | null;
  /** What the server advertised as `push-cert=<nonce>`; null where the certificate holds none. */
  readonly nonce: string | null;
  /** What the signature is over: everything before it. Two certificates with the same one are the same, however armoured. */
  readonly signedText: string;
}

/** Each at most once, except `push-option`. What none of these is may mean something to an upstream and nothing to us. */
const HEADERS = new Set(["pusher", "pushee", "nonce", "push-option"]);

// git takes the *last* of these lines for the end of the signed text, others take the first (gpg-interface.c,
// parse_signed_buffer). With exactly one, everybody sees the same commands.
const SIGNATURE_BEGINS = [
  "-----BEGIN PGP SIGNATURE-----",
  "-----BEGIN PGP MESSAGE-----",
  "-----BEGIN SIGNED MESSAGE-----",
  "-----BEGIN SSH SIGNATURE-----",
];

const refuse = (why: string): GatewayError =>
  new GatewayError("request_malformed", `malformed push certificate: ${why}; nothing was pushed`);

/**
 * @param text the certificate without its `push-cert-end`; every line ends with a line feed
 * @throws GatewayError `request_malformed`
 */
export function parseCertificate(text: string, format: ObjectFormat): PushCertificate {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw refuse("its last line is not complete");
  if (lines[0] !== "certificate version 0.1") throw refuse("its version is not 0.1");

  const blank = lines.indexOf("");
  if (blank === -1) throw refuse("no empty line ends its header");
  const pushOptions: string[] = [];
  const headers = new Map<string, string>();
  for (const line of lines.slice(1, blank)) {
    const space = line.indexOf(" ");
    const name = line.slice(0, Math.max(space, 0));
    if (!HEADERS.has(name)) throw refuse(`“${escapeLine(line)}” is not a header`);
    if (name !== "push-option" && headers.has(name)) throw refuse(`its header “${name}” stands there twice`);
    if (name === "push-option") pushOptions.push(line.slice(space + 1));
    else headers.set(name, line.slice(space + 1));
  }

  const signatures = lines.flatMap((line, index) =>
    SIGNATURE_BEGINS.some((begin) => line.startsWith(begin)) ? [index] : [],
  );
  const [signature, second] = signatures;
  if (signature === undefined || second !== undefined || signature <= blank) {
    throw refuse("it has to hold exactly one signature, after its commands");
  }
  const updates = lines.slice(blank + 1, signature).map((line) => parseCommand(line, format));
  if (updates.length === 0) throw refuse("it holds no command");
  return {
    updates,
    pushOptions,
    pushee: headers.get("pushee") ?? null,
    nonce: headers.get("nonce") ?? null,
    signedText: `${lines.slice(0, signature).join("\n")}\n`,
  };
}

export interface PushedTo {
  /** `<connection>/<path>`, without `.git`. */
  readonly repository: string;
  /** What the upstream says at this moment as `push-cert=<nonce>`; null where it says none. */
  readonly offered: string | null;
}

/** Between the refs that git asks for and the push that it makes of them: somebody types a passphrase, a `pre-push` hook tests. */
const MAX_NONCE_AGE_S = 3600;

/**
 * When a nonce was made: git and JGit write `<seconds since the epoch>-<signature>`. Nobody but the server can make one, so that
 * the seconds of two of its nonces are told by one clock, its own.
 */
const madeAt = (nonce: string): number | null => {
  const [, seconds] = /^([0-9]{1,15})-/.exec(nonce) ?? [];
  return seconds === undefined ? null : Number(seconds);
};

const notFor = (why: string): GatewayError => new GatewayError("forbidden", `${why}; nothing was pushed`);

/**
 * Whether a certificate is about this very push. Only the upstream can tell whether the nonce is its own (it may be a hold's
 * time old by then: `receive.certNonceSlop`), and whose signature it is; where the push goes is known here, and how old it is.
 * @throws GatewayError `forbidden` for an upstream that takes no signed pushes, for a certificate made for another repository or
 * long ago, and for an address with a credential in it, which would be signed, stored, and sent upstream with the rest
 */
export function checkCertificate({ pushee, nonce }: Pick<PushCertificate, "pushee" | "nonce">, to: PushedTo): void {
  if (to.offered === null) throw notFor("the upstream takes no signed pushes: push with --no-signed");
  if (nonce === null || nonce === "")
    throw notFor("the push certificate holds no nonce, and the upstream asks for one");
  checkAge(nonce, to.offered);
  if (pushee === null) throw notFor("the push certificate does not say which repository it is for (pushee)");
  const address = URL.canParse(pushee) ? new URL(pushee) : null;
  if (address === null || address.search !== "" || address.hash !== "") {
    throw notFor("the push certificate is not for an address of this gateway (pushee)");
  }
  const segments = segmentsOf(address);
  const named = `/${segments.join("/").replace(/\.git$/, "")}`;
  if (!named.endsWith(`/git/${to.repository}`)) {
    throw notFor(`the push certificate is not for ${escapeLine(to.repository)} (pushee)`);
  }
  const before = segments.slice(0, -(to.repository.split("/").length + 1));
  if (before.at(-2) === "u" || address.username !== "" || address.password !== "") {
    throw notFor(
      "the signed address holds a credential, which a signed push would take to the upstream: take it out of the remote's " +
        "address, and give it with git config http.extraHeader 'Sallyport-Token: <token>'",
    );
  }
}

/** git itself refuses no old nonce, it tells a hook: whoever has read a certificate upstream could send it once more. */
function checkAge(nonce: string, offered: string): void {
  const now = madeAt(offered);
  if (now === null) return;
  const then = madeAt(nonce);
  if (then === null) throw notFor("the push certificate's nonce is none of the upstream's: push again");
  if (Math.abs(now - then) <= MAX_NONCE_AGE_S) return;
  throw notFor(
    `the push certificate's nonce is not of this push: the upstream made it ${Math.abs(now - then)} s ` +
      `${now > then ? "before" : "after"} the one that it gives now, and ${MAX_NONCE_AGE_S} s are let pass: push again`,
  );
}

/** Decoded, without the slashes at the end that git puts there. */
function segmentsOf({ pathname }: URL): readonly string[] {
  const segments = pathname.replace(/^\//, "").replace(/\/+$/, "").split("/");
  try {
    return segments.map(decodeURIComponent);
  } catch {
    throw notFor("the push certificate is not for an address of this gateway (pushee)");
  }
}
