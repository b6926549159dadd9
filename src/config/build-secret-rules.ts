/** The last step of `npm run build`; see built-secret-rules.ts. */
import { writeBuiltRules } from "./built-secret-rules.ts";
import { readBuiltinFiles } from "./secret-rules.ts";

await writeBuiltRules(await readBuiltinFiles());
