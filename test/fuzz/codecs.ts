/** Mutated bytes through every codec: whole and cut at random. The two must agree, and errors must be ours. */
import { Readable } from "node:stream";
import type { IncomingMessage } from "node:http";
import { deflateSync, gzipSync } from "node:zlib";
import { GatewayError } from "../../src/errors.ts";
import {
  createReceivePackFilter,
  createUploadPackFilter,
  parseAdvertisement,
  type AdvertisementFilter,
} from "../../src/git/advertisement.ts";
import { createByteReader } from "../../src/git/byte-reader.ts";
import { parseCommitObject } from "../../src/git/commit-object.ts";
import { splitSignedCommit } from "../../src/git/commit-signature.ts";
import { readContentLines } from "../../src/git/content-lines.ts";
import { createFetchRequestReader } from "../../src/git/fetch-request.ts";
import { OutputReader, splitRecords } from "../../src/git/git-output.ts";
import { openRequestBody } from "../../src/git/http-body.ts";
import { applyDelta } from "../../src/git/inspection/delta.ts";
import { checkTree, modeText, TreeCursor } from "../../src/git/inspection/tree.ts";
import { encodeLfsBatchRequest, parseLfsBatchRequest } from "../../src/git/lfs/batch-request.ts";
import { parseLfsPointer } from "../../src/git/lfs/pointer.ts";
import { defaultPushLimits } from "../../src/git/limits.ts";
import { parseSymrefs } from "../../src/git/ls-refs.ts";
import { PackScanner } from "../../src/git/pack-scanner.ts";
import { encodePacket, encodePktLine, FLUSH_PKT, parsePktLines, PktLineParser } from "../../src/git/pkt-line.ts";
import { parseCertificate } from "../../src/git/push-certificate.ts";
import type { ObjectFormat } from "../../src/git/push-command.ts";
import { createRefListingReader } from "../../src/git/ref-names.ts";
import { encodePushRequest, parsePushRequest } from "../../src/git/receive-pack.ts";
import { encodeReportStatus, parseReportStatus } from "../../src/git/report-status.ts";
import { encodeSideband, SidebandDemux } from "../../src/git/sideband.ts";
import { parseTagObject } from "../../src/git/tag-object.ts";
import { chunksOf, type Corpus } from "./corpus.ts";
import { cutRandomly, mutateBytes } from "./mutate-bytes.ts";
import { mutatePack } from "./mutate-pack.ts";
import { mutateHead } from "./mutate-request.ts";
import { makeDelta, parsePackFile, type ObjectKind } from "./pack-file.ts";
import { Random, randomFor } from "./random.ts";

export interface Codec {
  readonly name: string;
  readonly seeds: readonly Buffer[];
  /** @returns what was read, comparable. Must not depend on how the bytes are cut. */
  readonly read: (chunks: readonly Buffer[]) => unknown;
  /** Instead of changing bytes. */
  readonly mutate?: (seed: Buffer, random: Random) => Buffer;
}

const pkts = (...lines: readonly (string | null)[]): Buffer =>
  Buffer.concat(lines.map((line) => (line === null ? FLUSH_PKT : encodePktLine(Buffer.from(line, "latin1")))));

const text = (payload: Buffer): string => payload.toString("latin1");
const A = "a".repeat(40);
const B = "b".repeat(64);

const ADVERTISEMENTS = [
  pkts(
    "# service=git-receive-pack\n",
    null,
    `${A} refs/heads/main\0report-status atomic object-format=sha1 agent=x\n`,
    `${A} refs/heads/x\n`,
    `${A} .have\n`,
    null,
  ),
  pkts(
    "version 1\n",
    `${A} HEAD\0multi_ack symref=HEAD:refs/heads/main\n`,
    `${A} refs/tags/v1\n`,
    `${A} refs/tags/v1^{}\n`,
    `shallow ${A}`,
    null,
  ),
  pkts(
    "# service=git-upload-pack\n",
    null,
    "version 2\n",
    "ls-refs=unborn\n",
    "fetch=shallow packfile-uris filter\n",
    "bundle-uri\n",
    null,
  ),
  pkts(`${"0".repeat(64)} capabilities^{}\0object-format=sha256`, null),
];
const REPORTS = [
  pkts("unpack ok\n", "ok refs/heads/main\n", "ng refs/heads/x non-fast-forward\n", null),
  pkts(
    "unpack ok\n",
    "ok refs/heads/main\n",
    "option refname refs/heads/y\n",
    `option old-oid ${A}\n`,
    "option forced-update\n",
    "ok refs/heads/main\n",
    null,
  ),
  pkts("unpack index-pack abnormal exit\n", "ng refs/heads/x unpacker error\n", null),
];
const SIDEBAND = Buffer.concat([
  encodeSideband(2, "hello\nthere\n"),
  encodeSideband(1, REPORTS[0] ?? ""),
  encodeSideband(3, "fatal\n"),
  FLUSH_PKT,
]);
const CAT_FILE = Buffer.from(`${A} blob 5\nhello\n${B} commit 0\n\n${A} missing\n`);
const CERTIFICATE = Buffer.from(
  `certificate version 0.1\npusher Ana <a@x> 1 +0000\npushee http://x/\nnonce 1-2\npush-option a\n\n${A} ${A} refs/heads/main\n-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n`,
);

const filtered = (filter: AdvertisementFilter, chunks: readonly Buffer[]): string => {
  const sent = chunks.map((chunk) => filter.push(chunk));
  filter.end();
  return text(Buffer.concat(sent));
};

async function scanned(format: ObjectFormat, chunks: readonly Buffer[]): Promise<unknown> {
  const scanner = new PackScanner(format, { ...defaultPushLimits, objectBytes: 2 ** 20, inflatedBytes: 2 ** 24 });
  try {
    for (const chunk of chunks) if (chunk.length > 0) await scanner.feed(chunk);
    return await scanner.finish();
  } finally {
    scanner.close();
    // All packs of the process have one room.
    scanner.entries?.release();
  }
}

/** Half of them packs that are whole, and odd only inside. */
const packMutation =
  (format: ObjectFormat) =>
  (seed: Buffer, random: Random): Buffer =>
    random.once(2) || seed.length < 32
      ? mutateBytes(seed, random)
      : mutatePack(parsePackFile(seed, format), format, random);

async function recordsOf(chunks: readonly Buffer[], delimiter: number): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const records of splitRecords(chunksOf(chunks), delimiter))
    for (const record of records) all.push(Buffer.from(record));
  return all;
}

async function gunzipped(chunks: readonly Buffer[]): Promise<string> {
  const incoming = Object.assign(Readable.from(chunks.filter((chunk) => chunk.length > 0)), {
    headers: { "content-encoding": "gzip" },
    socket: { setTimeout: () => {} },
  });
  const body = openRequestBody(incoming as unknown as IncomingMessage, { maxBytes: 2 ** 20 });
  const parts: Buffer[] = [];
  for await (const chunk of body.chunks) parts.push(chunk);
  await body.drain();
  return text(Buffer.concat(parts));
}

async function pushHead(chunks: readonly Buffer[]): Promise<unknown> {
  const reader = createByteReader(chunksOf(chunks));
  const head = await parsePushRequest(reader);
  const rest: Buffer[] = [];
  for await (const chunk of reader.rest()) rest.push(chunk);
  // What is delivered is what was read, whether it goes out as it came or is written anew.
  const { raw, ...fields } = head;
  const again = await parsePushRequest(createByteReader(chunksOf([encodePushRequest(fields)])));
  if (encodePushRequest(head) !== raw) throw new Error("an unchanged head is not sent as it came");
  for (const field of ["updates", "capabilities", "shallow", "pushOptions", "certificate"] as const) {
    if (head.updates.length > 0 && JSON.stringify(again[field]) !== JSON.stringify(head[field])) {
      throw new Error(`${field} of a head change when it is written anew`);
    }
  }
  return { ...fields, raw: text(raw), rest: text(Buffer.concat(rest)) };
}

function sidebandParts(chunks: readonly Buffer[]): unknown {
  const demux = new SidebandDemux();
  const parts = chunks
    .flatMap((chunk) => demux.push(chunk))
    .map((part) => (part.band === "flush" ? part : { band: part.band, data: text(part.data) }));
  demux.end();
  return parts;
}

function reportOf(bytes: Buffer): unknown {
  const report = parseReportStatus(bytes);
  const again = parseReportStatus(encodeReportStatus(report, 2));
  if (again.refs.length !== report.refs.length) throw new Error("a report loses refs when it is written anew");
  return report;
}

async function catFile(chunks: readonly Buffer[]): Promise<unknown> {
  const reader = new OutputReader(chunksOf(chunks));
  const read: string[] = [];
  for (let line = await reader.line(); line !== null; line = await reader.line()) {
    const size = /^[0-9a-f]{40,64} \w+ (\d{1,9})$/.exec(line)?.[1];
    read.push(line);
    if (size !== undefined) read.push(text(await reader.bytes(Number(size) + 1)));
  }
  return read;
}

async function contentLines(chunks: readonly Buffer[]): Promise<unknown> {
  const lines: string[] = [];
  for await (const some of readContentLines(chunksOf(chunks))) {
    for (const { number, kind, bytes, column, overlap } of some)
      lines.push(`${number} ${kind} ${column} ${overlap} ${text(bytes)}`);
  }
  return lines.sort();
}

/** What codecs are tried on. */
export interface CodecSamples {
  readonly heads: readonly Buffer[];
  /** Heads with their packs behind them. */
  readonly bodies: readonly Buffer[];
  readonly packs: Readonly<Record<ObjectFormat, readonly Buffer[]>>;
  readonly objects: Readonly<Record<ObjectKind, readonly Buffer[]>>;
  /** Object ids for commands. */
  readonly ids: readonly string[];
}

export function samplesOf(corpus: Corpus): CodecSamples {
  const isSmall = ({ length }: Buffer): boolean => length > 0 && length < 40_000;
  const all = corpus.pushes.flatMap(({ objects }) => [...objects.values()]);
  const objects = (kind: ObjectKind): Buffer[] =>
    all
      .filter((object) => object.kind === kind && object.content.length < 20_000)
      .map(({ content }) => content)
      .slice(0, 60);
  const packs = (format: ObjectFormat): Buffer[] =>
    corpus.pushes.filter(({ repository }) => repository.format === format).map(({ pack }) => pack);
  return {
    heads: corpus.pushes.map(({ head }) => head),
    bodies: corpus.pushes.map(({ head, pack }) => Buffer.concat([head, pack])).filter(isSmall),
    packs: { sha1: packs("sha1").filter(isSmall), sha256: packs("sha256").filter(isSmall) },
    objects: { commit: objects("commit"), tree: objects("tree"), blob: objects("blob"), tag: objects("tag") },
    ids: [...new Set(corpus.pushes.flatMap(({ objects }) => [...objects.keys()]))].slice(0, 200),
  };
}

/**
 * A fetch is read for what its beginning asks: how much of it is there before a broken packet is met depends on how it is cut, and
 * whoever gets it meets that packet too.
 */
function fetchRequest(v2: boolean, chunks: readonly Buffer[]): unknown {
  parsePktLines(Buffer.concat(chunks));
  const reader = createFetchRequestReader({ v2 });
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  return reader.request;
}

function listing(chunks: readonly Buffer[]): unknown {
  parsePktLines(Buffer.concat(chunks));
  const reader = createRefListingReader();
  for (const chunk of chunks) reader.push(chunk);
  return [...reader.names];
}

function treeEntries(bytes: Buffer): unknown {
  checkTree("t", bytes, 20);
  const entries: string[] = [];
  for (const cursor = new TreeCursor("t", bytes, 20); !cursor.isOver; cursor.next()) {
    entries.push(`${modeText(cursor.mode)} ${cursor.name()} ${cursor.id()}`);
  }
  return entries;
}

/** A delta with its base in front of it, behind the base's length in two bytes. */
function deltaResult(bytes: Buffer): unknown {
  const length = bytes.length < 2 ? 0 : bytes.readUInt16BE(0);
  return text(applyDelta(bytes.subarray(2, 2 + length), bytes.subarray(2 + length), 2 ** 20));
}

const DELTA_BASE = Buffer.from("a base of some forty letters to copy from");
const DELTAS = ["a base of some other letters to copy from", "", "nothing in common with it"].map((result) => {
  const delta = makeDelta(DELTA_BASE, Buffer.from(result), new Random(1));
  const length = Buffer.alloc(2);
  length.writeUInt16BE(DELTA_BASE.length);
  return Buffer.concat([length, DELTA_BASE, delta]);
});
const FETCHES = {
  v0: [
    pkts(
      `want ${A} multi_ack side-band-64k\n`,
      `want ${A}\n`,
      "shallow " + A,
      "deepen 1",
      "filter blob:none",
      null,
      `have ${A}\n`,
      "done\n",
    ),
  ],
  v2: [
    pkts("command=fetch\n", "agent=x\n").toString("latin1") +
      "0001" +
      pkts("thin-pack\n", `want ${A}\n`, "want-ref refs/heads/main\n", "deepen-since 1\n", null).toString("latin1"),
    pkts("command=ls-refs\n").toString("latin1") +
      "0001" +
      pkts("peel\n", "ref-prefix refs/heads/\n", null).toString("latin1"),
  ].map((all) => Buffer.from(all, "latin1")),
};
const POINTER = Buffer.from(
  `version https://git-lfs.github.com/spec/v1\next-0-foo sha256:${B}\noid sha256:${B}\nsize 12345\n`,
);
const LFS_BATCH = Buffer.from(
  JSON.stringify({
    operation: "upload",
    transfers: ["basic"],
    ref: { name: "refs/heads/main" },
    objects: [{ oid: B, size: 5 }],
    hash_algo: "sha256",
  }),
);

function lfsBatch(bytes: Buffer): unknown {
  const request = parseLfsBatchRequest(bytes);
  if (!request.ok) return request.error;
  const again = parseLfsBatchRequest(encodeLfsBatchRequest(request.value));
  if (JSON.stringify(again) !== JSON.stringify(request)) throw new Error("a batch changes when it is written anew");
  return request.value;
}

export function listCodecs({ heads, bodies, packs, objects, ids }: CodecSamples): readonly Codec[] {
  const codecs: readonly Codec[] = [
    {
      name: "pkt-line",
      seeds: [...heads, ...ADVERTISEMENTS, SIDEBAND],
      read: (chunks) => {
        const parser = new PktLineParser();
        const packets = chunks.flatMap((chunk) => parser.push(chunk));
        parser.end();
        const again = parsePktLines(Buffer.concat(packets.map(encodePacket)));
        if (again.length !== packets.length) throw new Error("packets change when they are written anew");
        return packets.map((packet) => (packet.kind === "data" ? text(packet.payload) : `<${packet.kind}>`));
      },
    },
    { name: "push head", seeds: bodies, read: pushHead },
    {
      name: "push head, by packets",
      seeds: heads,
      read: pushHead,
      mutate: (seed, random) => mutateHead(seed, ids, random),
    },
    {
      name: "push certificate",
      seeds: [CERTIFICATE],
      read: (chunks) => parseCertificate(text(Buffer.concat(chunks)), "sha1"),
    },
    {
      name: "advertisement",
      seeds: ADVERTISEMENTS,
      read: (chunks) => [...parseAdvertisement(Buffer.concat(chunks)).refs],
    },
    {
      name: "advertisement of receive-pack, filtered",
      seeds: ADVERTISEMENTS,
      read: (chunks) => filtered(createReceivePackFilter(), chunks),
    },
    {
      name: "advertisement of upload-pack, filtered",
      seeds: ADVERTISEMENTS,
      read: (chunks) => filtered(createUploadPackFilter(), chunks),
    },
    {
      name: "ls-refs",
      seeds: [pkts(`${A} refs/heads/a symref-target:refs/heads/b peeled:${A}\n`, "unborn HEAD\n", null)],
      read: (chunks) => [...parseSymrefs(Buffer.concat(chunks))],
    },
    { name: "side-band", seeds: [SIDEBAND], read: sidebandParts },
    { name: "report-status", seeds: REPORTS, read: (chunks) => reportOf(Buffer.concat(chunks)) },
    {
      name: "pack, sha1",
      seeds: packs.sha1,
      read: (chunks) => scanned("sha1", chunks),
      mutate: packMutation("sha1"),
    },
    {
      name: "pack, sha256",
      seeds: packs.sha256,
      read: (chunks) => scanned("sha256", chunks),
      mutate: packMutation("sha256"),
    },
    {
      name: "gzip body",
      seeds: [gzipSync(Buffer.concat(heads)), Buffer.concat([gzipSync("a"), gzipSync("b")]), deflateSync("x")],
      read: gunzipped,
    },
    {
      name: "commit object",
      seeds: objects.commit,
      read: (chunks) => parseCommitObject(A, Buffer.concat(chunks)),
    },
    { name: "tag object", seeds: objects.tag, read: (chunks) => parseTagObject(A, Buffer.concat(chunks)) },
    { name: "fetch, versions 0 and 1", seeds: FETCHES.v0, read: (chunks) => fetchRequest(false, chunks) },
    { name: "fetch, version 2", seeds: FETCHES.v2, read: (chunks) => fetchRequest(true, chunks) },
    { name: "names in a listing", seeds: ADVERTISEMENTS, read: listing },
    { name: "tree", seeds: objects.tree, read: (chunks) => treeEntries(Buffer.concat(chunks)) },
    { name: "delta", seeds: DELTAS, read: (chunks) => deltaResult(Buffer.concat(chunks)) },
    { name: "signed commit", seeds: objects.commit, read: (chunks) => splitSignedCommit(A, Buffer.concat(chunks)) },
    { name: "LFS pointer", seeds: [POINTER], read: (chunks) => parseLfsPointer(Buffer.concat(chunks)) },
    { name: "LFS batch", seeds: [LFS_BATCH], read: (chunks) => lfsBatch(Buffer.concat(chunks)) },
    {
      name: "records",
      seeds: [CAT_FILE, Buffer.from("a\n\nb\n")],
      read: async (chunks) => (await recordsOf(chunks, 0x0a)).map(text),
    },
    { name: "cat-file", seeds: [CAT_FILE], read: catFile },
    { name: "content lines", seeds: objects.blob, read: contentLines },
  ];
  return codecs.map((codec) => (codec.seeds.length > 0 ? codec : { ...codec, seeds: [Buffer.from("x")] }));
}

export interface CodecFuzzOptions {
  readonly seed: number;
  readonly count: number;
  readonly only?: number;
  readonly progress?: (text: string) => void;
}

export interface CodecFuzzResult {
  readonly inputs: number;
  /** Name → how many were read to the end, and how many refused. */
  readonly codecs: Readonly<Record<string, { readonly read: number; readonly refused: number }>>;
  readonly violations: readonly string[];
}

const SLOW_MS = 5_000;

export async function fuzzCodecs(corpus: Corpus, options: CodecFuzzOptions): Promise<CodecFuzzResult> {
  const codecs = listCodecs(samplesOf(corpus));
  const tally: Record<string, { read: number; refused: number }> = {};
  const violations: string[] = [];
  const onUnhandled = (error: unknown): void => void violations.push(`unhandled: ${String(error)}`);
  process.on("unhandledRejection", onUnhandled);
  let told = Date.now();
  const from = options.only ?? 0;
  const until = options.only === undefined ? options.count : options.only + 1;
  for (let input = from; input < until; input++) {
    const codec = codecs[input % codecs.length];
    if (codec === undefined) continue;
    const random = randomFor(options.seed, input);
    const seed = random.pick(codec.seeds);
    const bytes = codec.mutate?.(seed, random) ?? mutateBytes(seed, random, codec.seeds);
    const begun = process.cpuUsage();
    const whole = await outcomeOf(codec, [Buffer.from(bytes)]);
    const cut = await outcomeOf(codec, cutRandomly(bytes, random));
    const counts = (tally[codec.name] ??= { read: 0, refused: 0 });
    if (whole.startsWith("refused")) counts.refused += 1;
    else counts.read += 1;
    const name = `${codec.name}, --seed ${options.seed} --only ${input}`;
    for (const outcome of [whole, cut])
      if (outcome.startsWith("broken")) violations.push(`${name}: ${outcome.slice(0, 500)}`);
    if (whole !== cut) violations.push(`${name}: whole ${whole.slice(0, 200)} but cut ${cut.slice(0, 200)}`);
    const { user, system } = process.cpuUsage(begun);
    const tookMs = Math.round((user + system) / 1000);
    if (tookMs > SLOW_MS) violations.push(`${name}: took ${tookMs} ms of the processor`);
    if (Date.now() - told > 15_000) {
      told = Date.now();
      options.progress?.(`${input - from} inputs, ${violations.length} violations`);
    }
  }
  // Rejections that nobody awaits are told a turn later.
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", onUnhandled);
  return { inputs: until - from, codecs: tally, violations };
}

async function outcomeOf(codec: Codec, chunks: readonly Buffer[]): Promise<string> {
  try {
    return `read ${JSON.stringify(await codec.read(chunks))}`;
  } catch (error) {
    if (error instanceof GatewayError && error.code !== "internal") return `refused ${error.code}`;
    return `broken ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
}
