import { z } from "zod";
import { BYTE_SIZE_PATTERN, parseByteSize } from "../../model/byte-size.ts";

const EXPECTED = "expected a number of bytes, as in 512KiB, 10MB or 2GiB";

/** Bytes in the configuration's form; a plain number is bytes too. Nothing fits into 0. */
export const byteSizeSchema = z
  .union(
    [z.int({ error: EXPECTED }).min(1, { error: EXPECTED }), z.string().regex(BYTE_SIZE_PATTERN, { error: EXPECTED })],
    { error: EXPECTED },
  )
  .transform((given, context) => {
    const bytes = typeof given === "number" ? given : parseByteSize(given);
    if (bytes !== null && bytes > 0) return bytes;
    context.addIssue({ code: "custom", message: EXPECTED });
    return z.NEVER;
  });
