/**
 * Tree objects (gitformat: `*(mode SP name NUL id)`, the id in raw bytes), entry by entry.
 *
 * git sorts the entries by name, a directory as if its name ended with a slash; a name stands there once. Some programs read
 * a tree that is made otherwise differently from others: one that is new is refused, or it would show an approver something
 * else than what a client checks out.
 */
import { GatewayError } from "../../errors.ts";

export const FILE_TYPE = 0o170000;
export const DIRECTORY = 0o040000;
export const SUBMODULE = 0o160000;
const REGULAR = 0o100000;
const SYMLINK = 0o120000;
const ABSENT = 0;

/** The tree without entries, which git knows without having it. */
export const EMPTY_TREE = {
  sha1: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
  sha256: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
};

/** Whether an entry of this mode has content: a file or a symbolic link. */
export const hasContent = (mode: number): boolean => mode !== ABSENT && mode !== DIRECTORY && mode !== SUBMODULE;

/** `100644`; six digits. */
export const modeText = (mode: number): string => mode.toString(8).padStart(6, "0");

const SLASH = 0x2f;
const SPACE = 0x20;

/** git's `canon_mode`: what it takes a mode for. */
function canonicalMode(mode: number): number {
  switch (mode & FILE_TYPE) {
    case REGULAR:
      return (mode & 0o100) === 0 ? 0o100644 : 0o100755;
    case SYMLINK:
      return SYMLINK;
    case DIRECTORY:
      return DIRECTORY;
    default:
      return SUBMODULE;
  }
}

const malformed = (oid: string, what: string): GatewayError =>
  new GatewayError(
    "inspection_failed",
    `tree ${oid} is malformed (${what}): make its commit anew with a current version of git`,
  );

/** Stands on one entry of a tree; behind the last one it `isOver`. */
export class TreeCursor {
  readonly bytes: Buffer;
  readonly #oid: string;
  readonly #idBytes: number;
  #start = 0;
  #next = 0;
  isOver = false;
  /** As git takes it. */
  mode = 0;
  rawMode = 0;
  nameStart = 0;
  nameEnd = 0;

  constructor(oid: string, bytes: Buffer, idBytes: number) {
    this.#oid = oid;
    this.bytes = bytes;
    this.#idBytes = idBytes;
    this.next();
  }

  /** @throws GatewayError `inspection_failed` */
  next(): void {
    const { bytes } = this;
    let at = this.#next;
    this.#start = at;
    if (at >= bytes.length) {
      this.isOver = true;
      return;
    }
    let mode = 0;
    const begin = at;
    for (let byte = bytes[at]; byte !== SPACE; byte = bytes[++at]) {
      if (byte === undefined || byte < 0x30 || byte > 0x37 || at - begin > 7) throw malformed(this.#oid, "a mode");
      mode = mode * 8 + byte - 0x30;
    }
    this.rawMode = mode;
    this.mode = canonicalMode(mode);
    this.nameStart = at + 1;
    const end = bytes.indexOf(0, this.nameStart);
    if (end === -1 || end === this.nameStart || end + 1 + this.#idBytes > bytes.length)
      throw malformed(this.#oid, "a name");
    this.nameEnd = end;
    this.#next = end + 1 + this.#idBytes;
  }

  /** The name, one character a byte. */
  name(): string {
    return this.bytes.toString("latin1", this.nameStart, this.nameEnd);
  }

  id(): string {
    return this.bytes.toString("hex", this.nameEnd + 1, this.nameEnd + 1 + this.#idBytes);
  }

  isSame(other: TreeCursor): boolean {
    if (this.mode !== other.mode) return false;
    const a = this.nameEnd + 1;
    const b = other.nameEnd + 1;
    for (let at = 0; at < this.#idBytes; at++) if (this.bytes[a + at] !== other.bytes[b + at]) return false;
    return true;
  }

  /** Byte for byte, the name as well. */
  isIdentical(other: TreeCursor): boolean {
    if (this.isOver || other.isOver) return false;
    const length = this.#next - this.#start;
    if (other.#next - other.#start !== length) return false;
    const shift = other.#start - this.#start;
    for (let at = this.#start; at < this.#next; at++) if (this.bytes[at] !== other.bytes[at + shift]) return false;
    return true;
  }

  /** The order of git: less than zero when this entry comes first. A file and a directory of one name are two places. */
  compare(other: TreeCursor): number {
    const length = Math.min(this.nameEnd - this.nameStart, other.nameEnd - other.nameStart);
    for (let at = 0; at < length; at++) {
      const order = (this.bytes[this.nameStart + at] ?? 0) - (other.bytes[other.nameStart + at] ?? 0);
      if (order !== 0) return order;
    }
    return this.#behind(length) - other.#behind(length);
  }

  #behind(length: number): number {
    if (this.nameStart + length < this.nameEnd) return this.bytes[this.nameStart + length] ?? 0;
    return this.mode === DIRECTORY ? SLASH : 0;
  }
}

/** `.git` as Windows takes it (git's `is_ntfs_dotgit`): a short name, dots and spaces at the end, a stream, a backslash for a slash. */
const NTFS_GIT = /(?:^|\\)(?:\.git|git~1)[. ]*(?:$|[\\:])/i;
const UPWARDS = /(?:^|\\)\.\.?(?:\\|$)/;
/** What disks of Apple leave out of a name (git's `is_hfs_dotgit`). */
const HFS_IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
/** `.gitmodules`, and its short names on Windows. */
const MODULES = /^(?:\.gitmodules|gitmod~\d|gi7eba~\d)[. ]*(?:$|:)/i;

const [DOT, TILDE, BACKSLASH] = [0x2e, 0x7e, 0x5c];
/** What the ignored characters begin with, in UTF-8. */
const [HFS_FIRST, HFS_MARK] = [0xe2, 0xef];

/** Whether a name leads somewhere else on somebody's disk. */
function leadsElsewhere(bytes: Buffer, begin: number, end: number): boolean {
  // Nearly all names are done with here.
  let isOdd = bytes[begin] === DOT || bytes[begin + 3] === TILDE;
  for (let at = begin; at < end; at++) {
    const byte = bytes[at];
    if (byte === SLASH) return true;
    if (byte === BACKSLASH || byte === HFS_FIRST || byte === HFS_MARK) isOdd = true;
  }
  if (!isOdd) return false;
  const name = plainName(bytes, begin, end);
  return UPWARDS.test(name) || NTFS_GIT.test(name);
}

/** Whether somebody's git takes a file of this name, at the top of a tree, for `.gitmodules`. */
export const isModulesName = (name: string): boolean => MODULES.test(name.replace(HFS_IGNORED, ""));

const plainName = (bytes: Buffer, begin: number, end: number): string =>
  bytes.toString("utf8", begin, end).replace(HFS_IGNORED, "");

/**
 * @throws GatewayError `inspection_failed` for a tree that not everybody reads alike
 */
export function checkTree(oid: string, bytes: Buffer, idBytes: number): void {
  const cursor = new TreeCursor(oid, bytes, idBytes);
  const before = new TreeCursor(oid, bytes, idBytes);
  /** Files whose name the present one begins with, begin and end: only with these may a directory behind them share its name. */
  const prefixes: number[] = [];
  for (let isFirst = true; !cursor.isOver; isFirst = false) {
    const { nameStart, nameEnd } = cursor;
    const type = cursor.rawMode & FILE_TYPE;
    if (type !== cursor.mode && type !== REGULAR) throw malformed(oid, `mode ${cursor.rawMode.toString(8)}`);
    if (leadsElsewhere(bytes, nameStart, nameEnd)) throw malformed(oid, "a name that leads elsewhere");
    if (type === SYMLINK && isModulesName(plainName(bytes, nameStart, nameEnd))) {
      throw malformed(oid, "a .gitmodules that is a link: what it says would be read from elsewhere");
    }
    if (!isFirst) {
      if (before.compare(cursor) >= 0) throw malformed(oid, "its entries are not in order");
      before.next();
    }
    let at = prefixes.length - 2;
    while (at >= 0 && !beginsWith(bytes, nameStart, nameEnd, prefixes[at] ?? 0, prefixes[at + 1] ?? 0)) at -= 2;
    prefixes.length = at + 2;
    if (cursor.mode !== DIRECTORY) prefixes.push(nameStart, nameEnd);
    // Of all that it begins with, the one of its own length is the last.
    else if (at >= 0 && (prefixes[at + 1] ?? 0) - (prefixes[at] ?? 0) === nameEnd - nameStart) {
      throw malformed(oid, "a name that is there twice");
    }
    cursor.next();
  }
}

function beginsWith(bytes: Buffer, begin: number, end: number, prefix: number, prefixEnd: number): boolean {
  if (prefixEnd - prefix > end - begin) return false;
  for (let at = prefix; at < prefixEnd; at++) if (bytes[at] !== bytes[begin + at - prefix]) return false;
  return true;
}
