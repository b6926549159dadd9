import { access, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { checkNoOtherGateway, removePidFile, writePidFile } from "../../src/cli/pid-file.ts";
import { renderBanner } from "../../src/cli/serve.ts";
import { openConfig } from "../../src/config.ts";
import { directoryWith, loaded, yaml } from "../config/files.ts";
import { testDatabase } from "../harness/database.ts";
import { run } from "./command-io.ts";

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

describe("sallyport serve", () => {
  it("refuses a bad configuration with every mistake, and touches nothing", async () => {
    const cwd = await directoryWith({ "c.yaml": "listen: 0.0.0.0:80\nrecordin: {}\n" });
    const { code, out, err } = await run(["serve", "--config", "c.yaml"], { cwd });
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("c.yaml:1:9: listen: without an identity provider");
    expect(err).toContain("c.yaml:2:1: recordin: unknown key");
    expect(err).toContain("2 mistakes in the configuration.");
    expect(await readdir(cwd)).toEqual(["c.yaml"]);
  });

  it("refuses bad rules", async () => {
    const cwd = await directoryWith({ "c.yaml": "secrets: { rules: [./r.yaml] }", "r.yaml": "rules: 5" });
    const { code, err } = await run(["serve", "--config", "c.yaml"], { cwd });
    expect(code).toBe(1);
    expect(err).toContain("./r.yaml:1:1: ");
    expect(await exists(join(cwd, ".sallyport"))).toBe(false);
  });

  it("runs until it is told to stop; its process id is in a file meanwhile", async () => {
    const cwd = await directoryWith({});
    const database = await testDatabase();
    const stop = new AbortController();
    const env = { DATABASE_URL: database.url, SALLYPORT_LISTEN: "127.0.0.1:0", PATH: process.env["PATH"] };
    const running = run(["serve"], { cwd, env, stop: stop.signal });
    const pidFile = join(cwd, ".sallyport", "gateway.pid");
    try {
      await expect.poll(() => readFile(pidFile, "utf8")).toBe("4242\n");
    } finally {
      stop.abort();
    }
    const { code, out, err } = await running;
    expect({ code, err }).toEqual({ code: 0, err: expect.not.stringContaining('"error"') });
    expect(out).toMatch(/^Sallyport is ready\.\n {2}listens on {5}http:\/\/127\.0\.0\.1:[1-9]\d+\n/);
    expect(out).toContain("commands need the same SALLYPORT_LISTEN, DATABASE_URL\n");
    expect(out).not.toContain(database.url);
    expect(await exists(pidFile)).toBe(false);
  });
});

describe("renderBanner", () => {
  it("tells a newcomer what to do next", async () => {
    const config = await openConfig(
      await loaded(
        yaml(`publicUrl: https://gate.example.com
connections:
  code: { kind: git, url: https://git.example.com/ }
  ai: { kind: copilot, url: https://api.example.com/ }`),
      ),
    );
    const banner = renderBanner(config, "http://127.0.0.1:8080");
    for (const expected of [
      "http://127.0.0.1:8080\n",
      "https://gate.example.com/git/code/<path>.git",
      "https://gate.example.com/copilot/ai",
      "token create --user",
      "config.yaml",
      config.dataDir,
      "sallyport setup",
    ]) {
      expect(banner).toContain(expected);
    }
  });

  it("makes a token for who may approve, and says what the commands need to be for this gateway", async () => {
    const config = await openConfig(
      await loaded(
        yaml(`pushes:
  - repositories: ["**"]
    protect: [{ refs: [refs/heads/main], approvers: ["user:ada@example.com", leads] }]`),
      ),
    );
    const banner = renderBanner(config, "http://127.0.0.1:8080", ["DATABASE_URL", "--config c.yaml"]);
    expect(banner).toContain("token create --user you@example.com --groups leads\n");
    expect(banner).toContain("commands need the same DATABASE_URL, --config c.yaml\n");
    expect(renderBanner(config, "http://127.0.0.1:8080")).not.toContain("elsewhere");
  });

  it("says that nothing is connected", async () => {
    const banner = renderBanner(await openConfig(await loaded(yaml("listen: 127.0.0.1:0"))), "http://127.0.0.1:4711");
    expect(banner).toContain("none yet");
    expect(banner).toContain("http://127.0.0.1:4711/");
    expect(banner).not.toContain(":0/");
  });
});

describe("the pid file", () => {
  it("is taken away by the one who wrote it only", async () => {
    const dataDir = join(await directoryWith({}), "data");
    await mkdir(dataDir);
    await writePidFile(dataDir, 1);
    await writePidFile(dataDir, 2);
    await removePidFile(dataDir, 1);
    expect(await readFile(join(dataDir, "gateway.pid"), "utf8")).toBe("2\n");
    await removePidFile(dataDir, 2);
    expect(await readdir(dataDir)).toEqual([]);
    await removePidFile(dataDir, 2);
  });
});

describe("another gateway's data directory", () => {
  /** A process with this command line, as far as `ps` tells; it does nothing. */
  const started = async (...words: readonly string[]): Promise<{ pid: number; end(): Promise<void> }> => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000); console.log(1)", ...words]);
    await once(child.stdout, "data");
    if (child.pid === undefined) throw new Error("node did not start");
    const closed = once(child, "close");
    return {
      pid: child.pid,
      end: async () => {
        child.kill("SIGKILL");
        await closed;
      },
    };
  };

  it("is refused while that gateway runs, and taken over once it was killed", async () => {
    const cwd = await directoryWith({});
    const gateway = await started("bin/sallyport.js", "serve");
    await writePidFile(cwd, gateway.pid);

    await expect(checkNoOtherGateway(cwd, process.pid)).rejects.toThrow(
      `(process ${gateway.pid}): stop it, or give this one a directory of its own`,
    );
    await gateway.end();
    await expect(checkNoOtherGateway(cwd, process.pid)).resolves.toBeUndefined();
  });

  it("is taken over where the process id is another program's by now, or this process's own", async () => {
    const cwd = await directoryWith({});
    const other = await started("something", "else");
    await writePidFile(cwd, other.pid);
    await expect(checkNoOtherGateway(cwd, process.pid)).resolves.toBeUndefined();
    await other.end();
    await writePidFile(cwd, process.pid);
    await expect(checkNoOtherGateway(cwd, process.pid)).resolves.toBeUndefined();
  });
});
