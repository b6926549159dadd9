import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";

const ALONE = "alone";

/**
 * They measure their own process: memory, open files, children. What files before them have left to be collected, or still end, would
 * hide what they look for: a process for each.
 */
const measuresItself = [
  "test/flows/push/new-reach.test.ts",
  "test/fuzz.test.ts",
  "test/git/{codecs.property,git-launcher,history,http-body,inspection.property,process,quarantine}.test.ts",
  "test/scenarios/bad-input.test.ts",
  "test/secrets/mask-wires.test.ts",
];

/**
 * Everything runs on the embedded database; what talks to the store runs on a PostgreSQL server too. Each project starts its
 * own server (test/harness/global-setup.ts).
 */
const project = (name: string, database: "embedded" | "server", include: string[], exclude: string[] = []) => ({
  extends: true as const,
  test: {
    name,
    include,
    exclude: [...configDefaults.exclude, ...exclude],
    env: { SALLYPORT_TEST_DATABASE: database },
    globalSetup: ["test/harness/global-setup.ts"],
    // A process for each worker, not for each file: to load the gateway and make it warm took more than most files' tests. So a file
    // undoes what it does to its process (environment, listeners, spies), and mocks no module.
    isolate: name === ALONE,
  },
});

/** A file for what counts the tests (.ci/run): vitest's own report, beside what people read. */
const report = process.env["SALLYPORT_TEST_REPORT"];

export default defineConfig({
  test: {
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    // They wait for git, sockets and databases more than they compute: one more than there are cores keeps all of them busy.
    maxWorkers: availableParallelism() + 1,
    setupFiles: ["test/harness/setup.ts"],
    // Long enough for a machine that is busy with something else, or stands still for a while: what is waited for comes, or the test
    // has found something. A test sets no limit of its own that is shorter.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 60_000,
    expect: { poll: { timeout: 60_000 } },
    projects: [
      project(ALONE, "embedded", measuresItself),
      project("embedded", "embedded", ["test/**/*.test.{ts,tsx}"], measuresItself),
      project(
        "postgres",
        "server",
        ["test/{store,scenarios,flows,web}/**/*.test.{ts,tsx}"],
        [
          "test/store/embedded-*.test.ts",
          "test/store/postgres/**",
          // What these find is on the wire, in clients, in browsers, in git, or in what is masked before any statement is made: the
          // database has no part in it, and once is enough. Every statement of the store runs on both in the others.
          "test/scenarios/{codex,copilot-cli*,copilot-language-server,consent-in-browser,pages,sallyport-login}.test.ts",
          "test/scenarios/{every-*,signed-push,other-clients-push,lfs-*,bad-input,terminal-slack-html}.test.ts",
          "test/scenarios/{git-credential-helpers,names-keep-no-secret,no-secret-remains,push-policies}.test.ts",
          "test/flows/{exchange-wires,push/reading}.test.ts",
          "test/web/{git,git-*,lfs-path,client-setup,copilot}.test.ts",
        ],
      ),
    ],
  },
});
