import { createHash, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packageRoot } from "../../src/config/package-root.ts";
import { parseAllowedSigners } from "../../src/git/allowed-signers.ts";
import { parseCommitObject } from "../../src/git/commit-object.ts";
import { createCommitVerifier, splitSignedCommit } from "../../src/git/commit-signature.ts";
import type { AllowedSigner } from "../../src/model/allowed-signer.ts";

/** Made once by `git commit -S` (gpg.format=ssh); the private keys are gone. */
const VECTORS = JSON.parse(readFileSync(join(packageRoot(), "fixtures", "ssh-signed-commits.json"), "utf8")) as {
  readonly oid: string;
  readonly publicKey: string;
  readonly commit: string;
}[];
const [ed25519] = VECTORS;
if (ed25519 === undefined) throw new Error("no vectors");

const ADA = "ada@example.com";

function signers(...lines: string[]): readonly AllowedSigner[] {
  const parsed = parseAllowedSigners(lines.join("\n"));
  expect(parsed.mistakes).toEqual([]);
  return parsed.signers;
}

const signerOf = (oid: string, commit: string | Buffer, lines: readonly string[], pusher = "bob@example.com") =>
  parseCommitObject(oid, Buffer.from(commit), createCommitVerifier(signers(...lines), pusher)).facts.signature;

const ofEd25519 = (line: string, pusher?: string) =>
  signerOf(ed25519.oid, ed25519.commit, [line.replace("KEY", ed25519.publicKey)], pusher)?.signer;

describe("commits that git has signed", () => {
  it.each(VECTORS.map(({ oid, publicKey, commit }) => [commit.trimEnd().split("\n").at(-1), oid, publicKey, commit]))(
    "%s",
    (_, oid = "", publicKey = "", commit = "") => {
      expect(
        createHash(oid.length === 64 ? "sha256" : "sha1")
          .update(`commit ${commit.length}\0${commit}`)
          .digest("hex"),
      ).toBe(oid);
      expect(signerOf(oid, commit, [`${ADA} ${publicKey}`])).toEqual({ format: "ssh", signer: ADA });
      expect(signerOf(oid, commit, [])).toEqual({ format: "ssh", signer: null });
      // A word of the message, a parent, the committer: whatever is changed, it is not what was signed.
      for (const [from, to] of [
        ["signed by", "singed by"],
        ["committer Ada", "committer Eve"],
        ["tree 4b8", "tree 4b9"],
        ["tree 6ef", "tree 6ee"],
      ] as const) {
        if (!commit.includes(from)) continue;
        expect(signerOf(oid, commit.replace(from, to), [`${ADA} ${publicKey}`])?.signer).toBeNull();
      }
    },
  );

  it("count for nobody where another's key is listed", () => {
    for (const { publicKey } of VECTORS.slice(1, 5)) expect(ofEd25519(`${ADA} ${publicKey}`)).toBeNull();
  });

  it.each([
    ["ada@example.com KEY", ADA],
    ["ADA@Example.com KEY", ADA],
    ["*@example.com KEY", ADA],
    ["ad?@example.com KEY comment and more", ADA],
    ["bob@example.com KEY", "bob@example.com"],
    ['ada@example.com namespaces="file,git" KEY', ADA],
    ['ada@example.com valid-after="20231114Z",valid-before="20231115Z" KEY', ADA],
    ["eve@example.com KEY", null],
    ["ada@example.co KEY", null],
    ["!ada@example.com,*@example.org KEY", null],
    ["*@example.com,!ada@example.com KEY", "bob@example.com"],
    ['ada@example.com namespaces="file" KEY', null],
    ['ada@example.com valid-after="20231115Z" KEY', null],
    ['ada@example.com valid-before="20231114Z" KEY', null],
    // A Cyrillic letter that looks the same.
    ["ad\u0430@example.com KEY", null],
  ])("under %s: %s", (line, signer) => {
    expect(ofEd25519(line)).toBe(signer);
  });

  it("are the committer's before the pusher's", () => {
    expect(ofEd25519("*@example.com KEY")).toBe(ADA);
    expect(ofEd25519("bob@example.com KEY", "BOB@example.com")).toBe("BOB@example.com");
    expect(ofEd25519("* KEY", "")).toBe(ADA);
  });

  it("are nobody's without a verifier", () => {
    expect(parseCommitObject(ed25519.oid, Buffer.from(ed25519.commit)).facts.signature).toEqual({
      format: "ssh",
      signer: null,
    });
  });
});

const string = (value: Buffer | string): Buffer => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const rawPoint = (key: KeyObject): Buffer => Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url");
const keyBlob = Buffer.concat([string("ssh-ed25519"), string(rawPoint(publicKey))]);
const OWN = `${ADA} ssh-ed25519 ${keyBlob.toString("base64")}`;

const HEAD = `tree ${"1".repeat(40)}\nauthor Ada <${ADA}> 1700000000 +0000\ncommitter Ada <${ADA}> 1700000000 +0000\n`;

interface Craft {
  readonly magic?: string;
  readonly version?: number;
  readonly namespace?: string;
  readonly hash?: string;
  readonly format?: string;
  readonly trailing?: string;
  readonly signed?: string;
}

/** A commit signed by hand, with something about it as git would not do it. */
function craft({
  magic = "SSHSIG",
  version = 1,
  namespace = "git",
  hash = "sha512",
  format = "ssh-ed25519",
  trailing = "",
  signed = `${HEAD}\nhello\n`,
}: Craft): string {
  const digest = createHash(hash).update(signed).digest();
  const data = Buffer.concat([Buffer.from(magic), string(namespace), string(""), string(hash), string(digest)]);
  const signature = Buffer.concat([string(format), string(sign(null, data, privateKey))]);
  const versionBytes = Buffer.alloc(4);
  versionBytes.writeUInt32BE(version);
  const blob = Buffer.concat([
    Buffer.from(magic),
    versionBytes,
    string(keyBlob),
    string(namespace),
    string(""),
    string(hash),
    string(signature),
    Buffer.from(trailing),
  ]);
  const lines = blob.toString("base64").match(/.{1,70}/g) ?? [];
  return ["-----BEGIN SSH SIGNATURE-----", ...lines, "-----END SSH SIGNATURE-----"].join("\n ");
}

const own = (armor: string, head = HEAD, header = "gpgsig") =>
  signerOf("a".repeat(40), `${head}${header} ${armor}\n\nhello\n`, [OWN]);

describe("signatures made by hand", () => {
  it("count as git makes them, also over SHA-256", () => {
    expect(own(craft({}))?.signer).toBe(ADA);
    expect(own(craft({ hash: "sha256" }))?.signer).toBe(ADA);
  });

  it.each<[string, Craft]>([
    ["made for files", { namespace: "file" }],
    ["of another kind", { magic: "SSHXXX" }],
    ["of a version to come", { version: 2 }],
    ["over a weak hash", { hash: "sha1" }],
    ["in another key's form", { format: "rsa-sha2-512" }],
    ["with bytes behind", { trailing: "x" }],
    ["over another commit", { signed: `${HEAD}\nhullo\n` }],
  ])("do not count %s", (_, how) => {
    expect(own(craft(how))).toEqual({ format: "ssh", signer: null });
  });

  it("count for a commit's own format alone", () => {
    const armor = craft({});
    expect(own(armor, HEAD, "gpgsig-sha256")).toBeNull();
    expect(own(`${armor}\ngpgsig ${armor}`)?.signer).toBeNull();
    // A repository that was converted: the other format's signature is no part of what is signed.
    expect(own(`${armor}\ngpgsig-sha256 -----BEGIN\n anything`)?.signer).toBe(ADA);
  });

  it("tell the forms that cannot be checked", () => {
    expect(own("-----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----")).toEqual({
      format: "openpgp",
      signer: null,
    });
    expect(own("-----BEGIN SIGNED MESSAGE-----\n abc\n -----END SIGNED MESSAGE-----")).toEqual({
      format: "x509",
      signer: null,
    });
    expect(parseCommitObject("a".repeat(40), Buffer.from(`${HEAD}\nhello\n`)).facts.signature).toBeNull();
  });

  it("survive any change of a bit as nobody's", () => {
    const armor = craft({});
    const body = Buffer.from(armor.split("\n ").slice(1, -1).join(""), "base64");
    fc.assert(
      fc.property(fc.nat(body.length * 8 - 1), (bit) => {
        const changed = Buffer.from(body);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const lines = changed.toString("base64").match(/.{1,70}/g) ?? [];
        const text = ["-----BEGIN SSH SIGNATURE-----", ...lines, "-----END SSH SIGNATURE-----"].join("\n ");
        expect(own(text)?.signer).toBeNull();
      }),
    );
  });

  it("are taken from commits of any shape without a throw", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("gpgsig x\n", " y\n", "gpgsig-sha256 z\n", "other a\n", "\n", "gpgsig", " ", "\0")),
        (parts) => {
          const content = Buffer.from(parts.join(""));
          const split = splitSignedCommit("a".repeat(40), content);
          if (split !== null) expect(split.payload.length + split.armor.length).toBeLessThan(content.length);
        },
      ),
    );
  });
});

describe("parseAllowedSigners", () => {
  const key = ed25519.publicKey;
  it("reads comments, options and several names", () => {
    const parsed = parseAllowedSigners(
      `# people\n\n  ada@example.com,"bob@example.com" NameSpaces="git",valid-after="20200131Z" ${key}\r\n*@x.org valid-before="202001312359Z" ${key} c\nz valid-before="20200131235958Z" ${key}`,
    );
    expect(parsed.mistakes).toEqual([]);
    expect(
      parsed.signers.map(({ principals, validAfter, validBefore }) => [principals, validAfter, validBefore]),
    ).toEqual([
      [["ada@example.com", "bob@example.com"], Date.UTC(2020, 0, 31), null],
      [["*@x.org"], null, Date.UTC(2020, 0, 31, 23, 59)],
      [["z"], null, Date.UTC(2020, 0, 31, 23, 59, 58)],
    ]);
  });

  it.each([
    ["ada@example.com", "expected who"],
    [key, "expected who"],
    [`ada@example.com ${key.split(" ")[0]}`, "expected who"],
    [`ada@example.com cert-authority ${key}`, "cert-authority cannot be honoured"],
    [`ada@example.com no-touch-required ${key}`, "unknown option"],
    [`ada@example.com valid-after="20200131" ${key}`, "valid-after expects a time in UTC"],
    [`ada@example.com valid-before="20200231Z" ${key}`, "valid-before expects a time in UTC"],
    [`ada@example.com valid-before="202001312460Z" ${key}`, "valid-before expects a time in UTC"],
    [`ada@example.com namespaces="git ${key}`, "double quote is never closed"],
    [`ada@example.com,,bob ${key}`, "an empty name"],
    ["ada@example.com sk-ssh-ed25519@openssh.com AAAA", "keys of type sk-ssh-ed25519@openssh.com cannot be checked"],
    ["ada@example.com ssh-dss AAAA", "keys of type ssh-dss cannot be checked"],
    ["ada@example.com ssh-ed25519-cert-v01@openssh.com AAAA", "cannot be checked"],
    ["ada@example.com ssh-ed25519 AAAA", "no public key that can be used"],
    ["ada@example.com ssh-ed25519 not*base64", "no public key that can be used"],
    [`ada@example.com ssh-rsa ${key.split(" ")[1]}`, "the key is no ssh-rsa key"],
  ])("refuses %s", (line, message) => {
    expect(parseAllowedSigners(`\n${line}`)).toEqual({
      signers: [],
      mistakes: [{ line: 2, message: expect.stringContaining(message) }],
    });
  });

  it("refuses RSA keys that are too short", () => {
    const { publicKey: short } = generateKeyPairSync("rsa", { modulusLength: 1024 });
    const { n = "", e = "" } = short.export({ format: "jwk" });
    const mpint = (text: string): Buffer => string(Buffer.concat([Buffer.alloc(1), Buffer.from(text, "base64url")]));
    const blob = Buffer.concat([string("ssh-rsa"), mpint(e), mpint(n)]).toString("base64");
    expect(parseAllowedSigners(`ada@example.com ssh-rsa ${blob}`).mistakes).toEqual([
      { line: 1, message: expect.stringContaining("2048 bits") },
    ]);
  });
});
