/** What a push may cost: `limits:` of an entry, in the operator's words, as the bounds that reading keeps to. */
import { z } from "zod";
import type { PushHeadLimits, PushLimits } from "../../model/push-limits.ts";
import { durationSchema } from "./approval.ts";
import { byteSizeSchema } from "./byte-size.ts";

/** What differs from the usual bounds. */
export interface ConfiguredLimits {
  readonly push: Partial<PushLimits>;
  readonly head: Partial<PushHeadLimits>;
  /** Of one Git LFS object; null: as usual. */
  readonly lfsObjectBytes: number | null;
}

export const USUAL_LIMITS: ConfiguredLimits = { push: {}, head: {}, lfsObjectBytes: null };

const countSchema = (what: string) =>
  z.int({ error: `expected a whole number of ${what}` }).min(1, { error: `at least 1: no push has fewer ${what}` });

export const limitsSchema = z
  .strictObject({
    packBytes: byteSizeSchema.optional().describe("Of the pack as it is sent. Default 2GiB."),
    objects: countSchema("objects").optional().describe("In the pack. Default 1000000."),
    objectBytes: byteSizeSchema.optional().describe("Of one object, unpacked. Default 100MiB."),
    lfsObjectBytes: byteSizeSchema.optional().describe("Of one object of Git LFS. Default 2GiB."),
    inflatedBytes: byteSizeSchema.optional().describe("Of all objects, unpacked. Default 64GiB."),
    inflationRatio: countSchema("bytes for a byte sent")
      .optional()
      .describe("Bytes unpacked for each byte sent, counted beyond the first inflatedFreeBytes. Default 500."),
    inflatedFreeBytes: byteSizeSchema
      .optional()
      .describe("Of all objects, unpacked: so many ask for no inflationRatio. Default 2GiB."),
    diffBytes: byteSizeSchema.optional().describe("Of all that the new commits add. Default 8GiB."),
    commits: countSchema("commits").optional().describe("New ones. Default 50000."),
    refs: countSchema("refs").optional().describe("Refs in one push. Default 20000."),
    commandBytes: byteSizeSchema
      .optional()
      .describe("Of what stands before the pack: commands, push options, certificate. Default 8MiB."),
    changedPaths: countSchema("paths").optional().describe("That all new commits together change. Default 5000000."),
    treeDepth: countSchema("directories").optional().describe("Directories within directories. Default 1000."),
    findings: countSchema("findings")
      .optional()
      .describe(
        "Secrets in what a push adds, and in one LFS object, warnings counted; beyond it that is denied and the rest not read. Default 10000.",
      ),
    scanTime: durationSchema
      .refine((ms) => ms > 0, { error: "looking for secrets takes some time: expected 1s or more" })
      .optional()
      .describe(
        "For looking for secrets in a megabyte of what a push adds; what is not done by then is refused. Default 20s.",
      ),
    time: durationSchema
      .refine((ms) => ms > 0, { error: "a push takes some time: expected 1s or more" })
      .optional()
      .describe("For reading the push, and for each git that works on it. Default 10m and 15m."),
  })
  .transform(({ diffBytes, refs, commandBytes, scanTime, time, lfsObjectBytes, ...same }): ConfiguredLimits => ({
    push: defined({ ...same, additionBytes: diffBytes, scanMs: scanTime, gitTimeoutMs: time, inspectionMs: time }),
    head: defined({ bytes: commandBytes, commands: refs }),
    lfsObjectBytes: lfsObjectBytes ?? null,
  }));

/** Without the keys that were not given, so that what is usual stays as it is. */
function defined<K extends string>(values: { readonly [N in K]?: number | undefined }): Partial<Record<K, number>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<
    Record<K, number>
  >;
}
