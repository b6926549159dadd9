/** Malformed, misleading and odd objects, made out of those of a real push. Tokens in them tell afterwards what was read. */
import type { ObjectFormat } from "../../src/git/push-command.ts";
import { mutateBytes } from "./mutate-bytes.ts";
import { readTree, writeTree, type TreeEntry } from "./object-graph.ts";
import { idBytes, objectId, type GitObject } from "./pack-file.ts";
import type { Random } from "./random.ts";

/** What stands for a secret: unlike any other, and of a form that no reading takes apart. */
export const newToken = (random: Random): string => `tok-${random.hex(16)}`;

export interface MutationScene {
  readonly format: ObjectFormat;
  readonly random: Random;
  /** The objects of the push. */
  readonly objects: ReadonlyMap<string, GitObject>;
  /** Those that the upstream has. */
  readonly old: ReadonlyMap<string, GitObject>;
  /** Takes an object that goes along. @returns its id */
  readonly add: (object: GitObject) => string;
  /** Only what git itself could have made: contents, names, modes, messages, in their order. */
  readonly isWellFormed: boolean;
}

const MODES = [
  "100644",
  "100755",
  "120000",
  "160000",
  "40000",
  "040000",
  "100664",
  "100600",
  "100000",
  "0",
  "",
  "777777",
  "644",
  "0100644",
  "20000",
  "140000",
  "170000",
  "1006440000000",
  "99",
  "100644x",
];

const names = (random: Random): Buffer =>
  random.pick([
    () => Buffer.from(newToken(random)),
    () => Buffer.from(`${newToken(random)}.txt`),
    () => Buffer.from(""),
    () => Buffer.from("."),
    () => Buffer.from(".."),
    () => Buffer.from(".git"),
    () => Buffer.from(".GIT"),
    () => Buffer.from("git~1"),
    () => Buffer.from(".gitmodules"),
    () => Buffer.from(".gitattributes"),
    () => Buffer.from(`a/${newToken(random)}`),
    () => Buffer.from(`/${newToken(random)}`),
    () => Buffer.from("con "),
    () => Buffer.from("aux."),
    () => Buffer.from(`line\n${newToken(random)}`),
    () => Buffer.from(`tab\t${newToken(random)} "q" \\`),
    () => Buffer.concat([Buffer.from([0xff, 0xc0]), Buffer.from(newToken(random))]),
    () => Buffer.from(`\u202e${newToken(random)}`),
    () => Buffer.from(`:100644 ${newToken(random)}`),
    () => Buffer.from("x".repeat(4200)),
    () => random.bytes(3).map((byte) => (byte === 0 ? 1 : byte)) as Buffer,
  ])();

const kindOf = (scene: MutationScene, kind: GitObject["kind"]): string[] =>
  [...scene.objects].filter(([, object]) => object.kind === kind).map(([oid]) => oid);

/** Some object: of the push, of the upstream, of nowhere, or made up for this. */
function someId(scene: MutationScene): string {
  const { random, format } = scene;
  return random.pick([
    () => random.pick([...scene.objects.keys()]),
    () => random.pick([...scene.objects.keys()]),
    () => random.pick([...(scene.old.size > 0 ? scene.old : scene.objects).keys()]),
    () => random.hex(idBytes(format) * 2),
    () => "0".repeat(idBytes(format) * 2),
    () => scene.add({ kind: "blob", content: blobContent(scene, Buffer.from("made up\n")) }),
    () => scene.add({ kind: "tree", content: Buffer.alloc(0) }),
  ])();
}

const wide = (text: string, order: "le" | "be"): Buffer => {
  const bytes = Buffer.from(text, "utf16le");
  return order === "le" ? bytes : bytes.swap16();
};

/** Lines of so many bytes that their ends meet the borders at which readers cut. */
const LONG = [7_990, 8_000, 65_536, 131_072, 1_048_560];

function blobContent({ random }: Pick<MutationScene, "random">, content: Buffer): Buffer {
  const line = `${newToken(random)} of a line\n`;
  const put = (text: Buffer, at = random.int(content.length + 1)): Buffer =>
    Buffer.concat([content.subarray(0, at), text, content.subarray(at)]);
  return random.pick<() => Buffer>([
    () => put(Buffer.from(line)),
    () => put(Buffer.from(`\n${line}`)),
    () => Buffer.concat([content, Buffer.from(newToken(random))]),
    () => Buffer.concat([Buffer.from(line), content]),
    () => put(Buffer.from(`\0${line}\0`)),
    () => put(Buffer.from(`\r${newToken(random)}\r`)),
    () => Buffer.concat([wide(`\ufeff${line}`, "le"), content]),
    () => wide(`\ufeff${content.toString("latin1").slice(0, 4000)}\n${line}`, "be"),
    () => wide(`${line}${content.toString("latin1").slice(0, 4000)}`, random.pick(["le", "be"])),
    () => Buffer.concat([Buffer.from([0xff, 0xfe]), content, Buffer.from(line)]),
    () => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(line), content]),
    () => put(Buffer.concat([Buffer.alloc(random.pick(LONG), "x"), Buffer.from(newToken(random))])),
    () => put(Buffer.concat([Buffer.alloc(random.pick(LONG), "ab\n"), Buffer.from(line)])),
    () => put(Buffer.concat([Buffer.alloc(random.int(9000), 1), Buffer.from(line)]), 0),
    () =>
      put(Buffer.from(`diff --git a/x b/x\n--- a/x\n+++ b/y\n@@ -0,0 +1,9 @@\n+${line}\\ No newline at end of file\n`)),
    () =>
      put(Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${random.hex(64)}\nsize 12\n${line}`), 0),
    () => Buffer.alloc(0),
    () => content.subarray(0, random.int(content.length)),
    () => Buffer.from(content.toString("latin1").replaceAll("\n", "\r\n"), "latin1"),
    () => Buffer.from(content.toString("latin1").replaceAll("\n", "\r"), "latin1"),
    () => Buffer.from(content.toString("latin1").split("\n").toReversed().join("\n"), "latin1"),
    () => mutateBytes(content, random),
  ])();
}

function treeContent(scene: MutationScene, content: Buffer): Buffer {
  const { random, format } = scene;
  const entries = readTree(content, format);
  const at = random.int(Math.max(1, entries.length));
  const [entry] = entries.slice(at, at + 1);
  const blob = (): string =>
    scene.add({ kind: "blob", content: blobContent(scene, Buffer.from(`${newToken(random)}\n`)) });
  const withEntry = (made: TreeEntry, sorted = !random.once(3)): Buffer => {
    const all = [...entries];
    if (sorted) {
      const key = ({ mode, name }: TreeEntry): Buffer =>
        mode.endsWith("40000") ? Buffer.concat([name, Buffer.from("/")]) : name;
      const place = all.findIndex((other) => key(other).compare(key(made)) > 0);
      all.splice(place === -1 ? all.length : place, 0, made);
    } else all.splice(random.int(all.length + 1), 0, made);
    return writeTree(all);
  };
  const replaced = (change: Partial<TreeEntry>): Buffer =>
    entry === undefined
      ? content
      : writeTree(entries.map((other) => (other === entry ? { ...other, ...change } : other)));
  if (scene.isWellFormed) return wellFormedTree(scene, entries, blob);
  return random.pick<() => Buffer>([
    () => withEntry({ mode: "100644", name: Buffer.from(`${newToken(random)}.txt`), oid: blob() }),
    () => withEntry({ mode: "100755", name: names(random), oid: blob() }),
    () => withEntry({ mode: "120000", name: Buffer.from(newToken(random)), oid: blob() }),
    () => withEntry({ mode: "160000", name: Buffer.from(newToken(random)), oid: random.hex(idBytes(format) * 2) }),
    () => withEntry({ mode: "160000", name: Buffer.from(newToken(random)), oid: someId(scene) }),
    () => withEntry({ mode: random.pick(MODES), name: names(random), oid: blob() }),
    () =>
      withEntry({
        mode: "40000",
        name: Buffer.from(newToken(random)),
        oid: scene.add({ kind: "tree", content: Buffer.alloc(0) }),
      }),
    () => {
      const inner = writeTree([{ mode: "100644", name: names(random), oid: blob() }]);
      return withEntry({ mode: "40000", name: names(random), oid: scene.add({ kind: "tree", content: inner }) });
    },
    () =>
      withEntry({
        mode: random.pick(["100644", "40000", "160000"]),
        name: entry?.name ?? names(random),
        oid: someId(scene),
      }),
    () => (entry === undefined ? content : withEntry(entry, false)),
    () => (entry === undefined ? content : withEntry({ ...entry, oid: blob() })),
    () => replaced({ mode: random.pick(MODES) }),
    () => replaced({ name: names(random) }),
    () => replaced({ oid: someId(scene) }),
    () => replaced({ oid: blob() }),
    () => writeTree(entries.filter((other) => other !== entry)),
    () => writeTree(entries.toReversed()),
    () =>
      writeTree(entries.map((other, i) => (i > 0 ? { ...other, name: entries[i - 1]?.name ?? other.name } : other))),
    () => Buffer.concat([content, random.bytes(1 + random.int(30))]),
    () => content.subarray(0, random.int(content.length)),
    () => Buffer.alloc(0),
    () => mutateBytes(content, random),
  ])();
}

/** Another tree of unlike names, sorted as git sorts. */
function wellFormedTree(
  { random, format, add }: MutationScene,
  entries: readonly TreeEntry[],
  blob: () => string,
): Buffer {
  const at = random.int(Math.max(1, entries.length));
  const others = entries.filter((_, place) => place !== at);
  const kept = entries[at];
  const name = (): Buffer =>
    random.pick<() => Buffer>([
      () => Buffer.from(newToken(random)),
      () => Buffer.from(`${newToken(random)}.txt`),
      () => Buffer.from(`tab\t${newToken(random)} "q"`),
      () => Buffer.from(`line\n${newToken(random)}`),
      () => Buffer.from(`größe ${newToken(random)}`),
      () => Buffer.concat([Buffer.from([0xff, 0xc0]), Buffer.from(newToken(random))]),
      () => Buffer.from(`:100644 ${newToken(random)}`),
      () => Buffer.from(newToken(random).padEnd(4200, "x")),
    ])();
  const file = (): TreeEntry => ({ mode: random.pick(["100644", "100755", "120000"]), name: name(), oid: blob() });
  const isFile = kept !== undefined && kept.mode.startsWith("1") && kept.mode !== "160000";
  const changed = random.pick<() => readonly TreeEntry[]>([
    () => [...entries, file()],
    () => [...entries, file(), file(), file()],
    () => [...others, file()],
    () => (isFile ? [...others, { ...kept, oid: blob() }] : [...entries, file()]),
    () => (isFile ? [...others, { ...kept, mode: random.pick(["100644", "100755", "120000"]) }] : entries),
    () => (kept === undefined ? [file()] : [...others, { ...kept, name: name() }]),
    () => (kept === undefined ? [file()] : [...entries, { ...kept, name: name() }]),
    () => [...entries, { mode: "160000", name: name(), oid: random.hex(idBytes(format) * 2) }],
    () => [...entries, { mode: "40000", name: name(), oid: add({ kind: "tree", content: writeTree([file()]) }) }],
    () => [...others, { mode: "40000", name: name(), oid: add({ kind: "tree", content: writeTree(others) }) }],
    () => others,
  ])();
  const key = ({ mode, name: at }: TreeEntry): Buffer =>
    mode.endsWith("40000") ? Buffer.concat([at, Buffer.from("/")]) : at;
  return writeTree([...changed].sort((a, b) => key(a).compare(key(b))));
}

function headered(scene: MutationScene, content: Buffer): Buffer {
  const { random } = scene;
  const text = content.toString("latin1");
  const blank = text.indexOf("\n\n");
  const head = text.slice(0, blank === -1 ? text.length : blank).split("\n");
  const message = blank === -1 ? "" : text.slice(blank + 2);
  const build = (lines: readonly string[], body = message): Buffer =>
    Buffer.from(`${lines.join("\n")}\n\n${body}`, "latin1");
  const at = random.int(head.length);
  const without = head.filter((_, i) => i !== at);
  const withLine = (line: string, place = random.int(head.length + 1)): string[] => [
    ...head.slice(0, place),
    line,
    ...head.slice(place),
  ];
  const token = newToken(random);
  if (scene.isWellFormed) {
    const isCommit = head[0]?.startsWith("tree ") === true;
    return random.pick<() => Buffer>([
      () => build(head, `${message}${token}\n`),
      () => build(head, `${token} ${message}`),
      () => build(head, token),
      () => build(head, `${message}\n\nKey: ${token}`),
      () => build(isCommit ? [...head, `x-note ${token}`] : head, `${token}\n`),
      () => build(isCommit ? [...head, "gpgsig -----BEGIN PGP SIGNATURE-----", " ", ` ${token}`, " -----END"] : head),
      () => build(isCommit ? [...head, "encoding ISO-8859-1"] : head, `${token}\xe9`),
      () => build(head.map((line) => line.replace(/^(author|tagger) .*/, `$1 ${token} <a@x> 1700000000 +0000`))),
      () => build(head.map((line) => line.replace(/^(committer|tagger) .*/, `$1 A <${token}> 1700000000 -1130`))),
    ])();
  }
  return random.pick<() => Buffer>([
    () => build(head, `${message}${token}\n`),
    () => build(head, `${token} ${message}`),
    () => build(head, `${message}\0${token}\n`),
    () => build(head, `${message}\n\nKey: ${token}`),
    () => build([...head, `x-${token} x`]),
    () => build([...head, `x-note ${token}`]),
    () => build([...head, "x-note one", ` ${token}`, " two"]),
    () => build([...head, `gpgsig -----BEGIN PGP SIGNATURE-----`, " ", ` ${token}`, " -----END PGP SIGNATURE-----"]),
    () => build([...head, "mergetag object x", ` ${token}`]),
    () =>
      build(
        [...head, `encoding ${random.pick(["UTF-16LE", "UTF-7", "ISO-8859-1", "x-none", token, ""])}`],
        `${token}\xe9`,
      ),
    () => Buffer.concat([build([...head, "encoding UTF-16LE"], ""), wide(`${token} é\n`, "le")]),
    () => build(withLine(head[0] ?? "")),
    () => build(withLine(`tree ${someId(scene)}`)),
    () => build(withLine(`parent ${someId(scene)}`)),
    () => build(withLine(`parent ${someId(scene)}`, 1)),
    () => build(withLine(head.find((line) => line.startsWith("parent ")) ?? head[0] ?? "", 1)),
    () => build(withLine(`object ${someId(scene)}`)),
    () => build(without),
    () => build([...head].sort(() => (random.once(2) ? 1 : -1))),
    () => build(head.map((line, i) => (i === at ? line.toUpperCase() : line))),
    () => build(head.map((line, i) => (i === at ? `${line}\0${token}` : line))),
    () => build(head.map((line, i) => (i === at ? `${line} ${token}` : line))),
    () =>
      build(
        head.map((line) => (/^(?:author|tagger) /.test(line) ? line.replace(/ .*/, ` ${token} <a@x> 1 +0000`) : line)),
      ),
    () =>
      build(head.map((line) => (/^(?:committer|tagger) /.test(line) ? line.replace(/ .*/, ` A <${token}> x`) : line))),
    () => build(head.map((line) => (/^(?:author|committer) /.test(line) ? line.replace(/<.*/, token) : line))),
    () =>
      build(
        head.map((line) =>
          line.startsWith("type ") ? `type ${random.pick(["commit", "tree", "blob", "tag", token])}` : line,
        ),
      ),
    () => build(head.map((line) => (/^(?:tree|object) /.test(line) ? `${line.split(" ")[0]} ${someId(scene)}` : line))),
    () => build(head.map((line) => (line.startsWith("tag ") ? `tag ${token}` : line))),
    () => Buffer.from(`${head.join("\n")}\n${token}`, "latin1"),
    () => Buffer.from(head.join("\n"), "latin1"),
    () => Buffer.from(text.replaceAll("\n", "\r\n"), "latin1"),
    () => Buffer.concat([Buffer.from("\n"), content]),
    () => content.subarray(0, random.int(content.length)),
    () => mutateBytes(content, random),
  ])();
}

/** Changes a few objects. @returns by id: what they become */
export function mutateObjects(scene: MutationScene): Map<string, GitObject> {
  const { random } = scene;
  const changed = new Map<string, GitObject>();
  for (let times = 1 + random.int(3); times > 0; times--) {
    const oids = kindOf(
      scene,
      random.pick(["blob", "blob", "tree", "tree", "tree", "commit", "commit", "tag"] as const),
    );
    if (oids.length === 0) continue;
    const oid = random.pick(oids);
    const object = changed.get(oid) ?? scene.objects.get(oid);
    if (object === undefined) continue;
    const content =
      object.kind === "blob"
        ? blobContent(scene, object.content)
        : object.kind === "tree"
          ? treeContent(scene, object.content)
          : headered(scene, object.content);
    changed.set(oid, { kind: object.kind, content });
  }
  return changed;
}

/** An object that nothing refers to. */
export const strayObject = (scene: MutationScene): GitObject => {
  const object: GitObject = { kind: "blob", content: Buffer.from(`${newToken(scene.random)} stray\n`) };
  scene.add(object);
  return object;
};

export const idsOf = (objects: Iterable<GitObject>, format: ObjectFormat): string[] =>
  [...objects].map((object) => objectId(object, format));
