/** Heads of pushes made strange: packets stay packets, what they say changes. */
import { encodePacket, parsePktLines, type PktLine } from "../../src/git/pkt-line.ts";
import { mutateBytes } from "./mutate-bytes.ts";
import type { Random } from "./random.ts";

const REFS = [
  "refs/heads/main",
  "refs/heads/MAIN",
  "refs/heads/other",
  "refs/heads/new/branch",
  "refs/tags/v9",
  "refs/notes/commits",
  "refs/heads/x\0",
  "refs/heads/x y",
  "refs/heads/../x",
  "refs/heads/x.lock",
  "HEAD",
  "refs/heads/ü",
  "refs/heads/\xff",
  `refs/heads/${"long/".repeat(250)}x`,
  "refs/for/main",
  "refs/replace/x",
  "",
];

const CAPABILITIES = [
  "atomic",
  "quiet",
  "push-options",
  "object-format=sha1",
  "object-format=sha256",
  "object-format=",
  "report-status",
  "report-status-v2",
  "side-band",
  "side-band-64k",
  "ofs-delta",
  "delete-refs",
  "push-cert=1",
  "agent=x\ny",
  "filter",
  "push-options=1",
];

/**
 * @param ids that commands may be given: of the push, of the upstream, of nothing
 */
export function mutateHead(head: Buffer, ids: readonly string[], random: Random): Buffer {
  const packets = parsePktLines(head);
  const texts = packets.map((packet) => (packet.kind === "data" ? packet.payload.toString("latin1") : null));
  const build = (list: readonly (string | null | PktLine)[]): Buffer =>
    Buffer.concat(
      list.map((text) =>
        text === null
          ? encodePacket({ kind: "flush" })
          : encodePacket(typeof text === "string" ? { kind: "data", payload: Buffer.from(text, "latin1") } : text),
      ),
    );
  const lines = [...texts.keys()].filter((i) => texts[i] !== null);
  const at = lines.length > 0 ? random.pick(lines) : 0;
  const line = texts[at] ?? "";
  const replaced = (text: string): Buffer => build(texts.map((other, i) => (i === at ? text : other)));
  const inserted = (text: string | null | PktLine, place = random.int(texts.length + 1)): Buffer =>
    build([...texts.slice(0, place), text, ...texts.slice(place)]);
  const ID = /[0-9a-f]{40,64}/g;
  const found = line.match(ID) ?? [];
  const first = texts.findIndex((text) => text?.includes("\0") === true);
  const withCapabilities = (change: (all: string[]) => string[]): Buffer =>
    build(
      texts.map((text, i) => {
        if (i !== first || text === null) return text;
        const [command = "", capabilities = ""] = text.split("\0");
        return `${command}\0 ${change(capabilities.split(" ").filter((word) => word !== "")).join(" ")}`;
      }),
    );
  return random.pick<() => Buffer>([
    () => inserted(line),
    () => inserted(line.replace(/\0.*/s, "")),
    () => inserted(`${found[0] ?? ""} ${found[1] ?? ""} ${random.pick(REFS)}`, Math.max(first + 1, 0)),
    () => inserted(`${random.pick(ids)} ${random.pick(ids)} ${random.pick(REFS)}`, Math.max(first + 1, 0)),
    () => inserted(`shallow ${random.pick(ids)}`, 0),
    () => inserted(`shallow ${random.pick(ids)}`),
    () => inserted(random.pick([null, { kind: "delim" as const }, { kind: "response-end" as const }])),
    () => inserted(random.bytes(random.int(40)).toString("latin1")),
    () => inserted(""),
    () => build(texts.filter((_, i) => i !== at)),
    () => build([...texts].sort(() => (random.once(2) ? 1 : -1))),
    () => replaced(line.replace(/refs\/[^\0\n]*/, random.pick(REFS))),
    () => replaced(line.replace(/refs\/[^\0\n]*/, random.pick(REFS))),
    () => replaced(found.length > 0 ? line.replace(random.pick(found), random.pick(ids)) : line),
    () => replaced(found.length > 1 ? line.replace(found[1] ?? "", random.pick(ids)) : line),
    () => replaced(line.toUpperCase()),
    () => replaced(`${line}\n`),
    () => replaced(line.replace(/\n$/, "")),
    () => replaced(line.replace(" ", "  ")),
    () => replaced(`${line}\0 atomic`),
    () => replaced(mutateBytes(Buffer.from(line, "latin1"), random).toString("latin1").slice(0, 60_000)),
    () => withCapabilities((all) => [...all, random.pick(CAPABILITIES)]),
    () => withCapabilities((all) => all.filter(() => !random.once(3))),
    () => withCapabilities((all) => [...all, random.pick(CAPABILITIES), random.pick(CAPABILITIES)]),
    // Lengths in other digits: the same number for some readers, none for others.
    () =>
      Buffer.from(
        head.toString("latin1").replace(/^([0-9a-f]{4})/, (length) => length.toUpperCase()),
        "latin1",
      ),
    () =>
      Buffer.from(
        head.toString("latin1").replace(/^([0-9a-f]{4})/, () => random.pick(["0000", "0004", "fff0", " 3f ", "+0af"])),
        "latin1",
      ),
    () => mutateBytes(head, random),
  ])();
}
