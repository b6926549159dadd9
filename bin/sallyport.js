#!/usr/bin/env node
import { existsSync } from "node:fs";

const main = new URL("../dist/src/main.js", import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  // `npm ci` builds, unless it was told to run no scripts.
  process.stderr.write("sallyport: it has not been built here yet; run: npm run build\n");
  process.exitCode = 1;
}
