import type { Random } from "./random.ts";

/** Words of all the formats: put in at a random place they open doors that random bytes never would. */
const WORDS = [
  "0000",
  "0001",
  "0002",
  "0003",
  "0004",
  "0005",
  "fff0",
  "ffff",
  "0032",
  "\0",
  "\n",
  " ",
  "\r\n",
  "PACK\0\0\0\x02\0\0\0\x01",
  "shallow ",
  "push-cert\0",
  "push-cert-end\n",
  "push-options",
  "object-format=sha256",
  "report-status-v2",
  "refs/heads/",
  "refs/heads/main",
  "0".repeat(40),
  "f".repeat(40),
  "0".repeat(64),
  "unpack ok\n",
  "ok refs/heads/x\n",
  "ng refs/heads/x no\n",
  "option refname refs/heads/y\n",
  "version 2\n",
  "# service=git-receive-pack\n",
  "capabilities^{}",
  ".have",
  "\x01",
  "\x02",
  "\x03",
  "tree ",
  "parent ",
  "encoding UTF-16LE\n",
  "gpgsig ",
  "100644 a\0",
  "160000 s\0",
  "@@ -0,0 +1,9 @@\n",
  "diff --git a/x b/x\n",
  "Binary files a/x and b/x differ\n",
  ":100644 100644 ",
  "\xff\xfe",
  "\xfe\xff",
  "\xef\xbb\xbf",
  "-----BEGIN PGP SIGNATURE-----\n",
  "-----BEGIN SSH SIGNATURE-----\n",
  "version https://git-lfs.github.com/spec/v1\n",
];

const splice = (bytes: Buffer, at: number, remove: number, put: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + remove)]);

/** One change. `others` are what a piece may come from. */
function mutateOnce(bytes: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  const at = random.int(bytes.length + 1);
  const length = 1 + random.int(random.once(4) ? 200 : 8);
  switch (random.int(11)) {
    case 0: {
      const changed = Buffer.from(bytes);
      if (changed.length > 0) changed[at % changed.length] = random.int(256);
      return changed;
    }
    case 1: {
      const changed = Buffer.from(bytes);
      if (changed.length > 0) changed[at % changed.length]! ^= 1 << random.int(8);
      return changed;
    }
    case 2:
      return splice(bytes, at, length, Buffer.alloc(0));
    case 3:
      return splice(bytes, at, 0, random.bytes(length));
    case 4:
      return splice(bytes, at, random.once(2) ? length : 0, Buffer.from(random.pick(WORDS), "latin1"));
    case 5:
      return splice(bytes, at, 0, bytes.subarray(at, at + length));
    case 6:
      return bytes.subarray(0, at);
    case 7: {
      const other = random.pick(others);
      const from = random.int(other.length + 1);
      return splice(bytes, at, length, other.subarray(from, from + length * 4));
    }
    case 8: {
      const other = random.pick(others);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.int(other.length + 1))]);
    }
    case 9: {
      // Digits: lengths, counts, places.
      const digits = [...bytes.keys()]
        .filter((i) => /[0-9a-f]/.test(String.fromCharCode(bytes[i] ?? 0)))
        .slice(0, 4096);
      if (digits.length === 0) return bytes;
      const changed = Buffer.from(bytes);
      changed[random.pick(digits)] = random.pick(Array.from(Buffer.from("0123456789abcdefF")));
      return changed;
    }
    default: {
      const changed = Buffer.from(bytes);
      if (changed.length > 0) changed[at % changed.length] = random.pick([0, 1, 0x0a, 0x20, 0x2f, 0x7f, 0x80, 0xff]);
      return changed;
    }
  }
}

export function mutateBytes(bytes: Buffer, random: Random, others: readonly Buffer[] = [bytes]): Buffer {
  let changed = bytes;
  for (let times = 1 + random.int(random.once(5) ? 12 : 3); times > 0; times--) {
    changed = mutateOnce(changed, random, others);
  }
  return changed;
}

/** The bytes as they may arrive. */
export function cutRandomly(bytes: Buffer, random: Random): Buffer[] {
  const cuts = Array.from({ length: random.int(6) }, () => random.int(bytes.length + 1)).sort((a, b) => a - b);
  const chunks: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    // A copy: a parser that keeps a view of what is not its own would be found out.
    chunks.push(Buffer.from(bytes.subarray(from, cut)));
    from = cut;
  }
  return chunks;
}
