/**
 * The encoding that a commit names for its texts (git-commit, "DISCUSSION"). git has the system's iconv, which knows over a
 * thousand names, make UTF-8 of the whole commit before it shows it; others do the like. What one sees is not what the bytes look like.
 *
 * In most encodings a letter of ASCII is its byte and nothing else, and the bytes can be searched as they are. In the others
 * a secret is in clear for everybody who runs `git log`, and in no byte of the commit.
 */
import { isUtf8 } from "node:buffer";
import { decodeText } from "./object-text.ts";

/** Of those that are decoded here: where bytes of ASCII stand for something else. */
const STATEFUL = new Set(["iso-2022-jp", "utf-16le", "utf-16be"]);

/** A commit's text; unknown names and wrong bytes fall back to what the bytes are. */
export function decodeAs(bytes: Buffer, encoding: string | null): string {
  if (encoding === null) return decodeText(bytes);
  try {
    const decoder = new TextDecoder(encoding, { fatal: true });
    // Many say ISO-8859-1 and have written UTF-8.
    if (isUtf8(bytes) && !STATEFUL.has(decoder.encoding)) return decodeText(bytes);
    return decoder.decode(bytes);
  } catch {
    return decodeText(bytes);
  }
}

/** EBCDIC, by the numbers of IBM's code pages: those of GNU libc and of Java in which `A` is not its byte in ASCII. */
const EBCDIC = new Set(
  (
    "37 38 256 273 274 275 277 278 280 281 282 284 285 290 297 420 423 424 500 803 833 834 835 836 838 870 871 875 880 905 918 924 930 933 935 937 939 " +
    "1025 1026 1047 1070 1079 1081 1084 1097 1112 1122 1123 1130 1132 1137 1140 1141 1142 1143 1144 1145 1146 1147 1148 1149 " +
    "1153 1154 1155 1156 1157 1158 1160 1164 1166 1364 1371 1388 1390 1399 4517 4899 4971 9030 12712 16804"
  ).split(" "),
);

/** Names without their signs: `utf7imap`, `csiso2022kr`, `hzgb2312`, and escapes for letters (`java`, `c99`). */
const DISGUISING = /utf7|ebcdic|ibmthai|^(?:cs)?iso2022|^hz(?:gb2312)?$|^(?:java|c99|scsu|bocu1)$|^osf1002/;

/**
 * Whether what a commit says can be looked through: it is decoded here, or is in its bytes (of UTF-16 and UTF-32 without their NULs).
 * @param encoding as it stands in the header
 */
export function isSearchable(encoding: string): boolean {
  // iconv is handed a C string, and takes what follows two slashes for an option.
  const [name = ""] = encoding.split(/\0|\/\//, 1);
  if (isDecoded(name)) return true;
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  const [, page = ""] = /^x?(?:cs)?(?:cp|ibm)?0*(\d+)/.exec(plain) ?? [];
  return !DISGUISING.test(plain) && !EBCDIC.has(page);
}

function isDecoded(name: string): boolean {
  try {
    return new TextDecoder(name).encoding !== "";
  } catch {
    return false;
  }
}
