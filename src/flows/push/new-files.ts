import type { NewFile } from "../../model/push-facts.ts";
import { rememberAnswers } from "./remember.ts";

/** Stands for a size that is not known; no file is as large. */
const NO_BYTES = -1;

/** What new commits put where, in columns: there may be millions of files, and few who ask for them. */
export class NewFiles {
  readonly #roots: string[] = [];
  readonly #oids: string[] = [];
  readonly #paths: string[] = [];
  readonly #modes: string[] = [];
  readonly #bytes: number[] = [];
  /** One string for a path that a thousand commits touch. */
  readonly #same = rememberAnswers((path) => path);

  /** @param root what a ref has to reach to bring the file */
  add(root: string, file: NewFile): void {
    this.#roots.push(root);
    this.#oids.push(file.oid);
    this.#paths.push(this.#same(file.path));
    this.#modes.push(file.mode);
    this.#bytes.push(file.bytes ?? NO_BYTES);
  }

  of(isBrought: (root: string) => boolean): readonly NewFile[] {
    const files: NewFile[] = [];
    for (const [at, root] of this.#roots.entries()) {
      if (!isBrought(root)) continue;
      const bytes = this.#bytes[at] ?? NO_BYTES;
      files.push({
        oid: this.#oids[at] ?? "",
        path: this.#paths[at] ?? "",
        mode: this.#modes[at] ?? "",
        bytes: bytes === NO_BYTES ? null : bytes,
      });
    }
    return files;
  }
}
