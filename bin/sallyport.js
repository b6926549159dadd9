#!/usr/bin/env -S node --max-semi-space-size=4
// A young generation of 12 MiB instead of 48 takes as long, and is as much less that is kept. `npm start` and the image say so too.
import { existsSync } from "node:fs";

const main = new URL("../dist/src/main.js", import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  // `npm ci` builds, unless it was told to run no scripts.
  process.stderr.write("sallyport: it has not been built here yet; run: npm run build\n");
  process.exitCode = 1;
}
