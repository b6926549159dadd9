import { describe, expect, it } from "vitest";
import { run } from "./command-io.ts";

const COMMANDS = ["serve", "check", "token", "scan", "setup"];

describe("sallyport", () => {
  it.each([["--help"], ["-h"], ["help"]])("%s tells the commands", async (...args) => {
    const { code, out, err } = await run(args);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const command of [...COMMANDS, "demo"]) expect(out).toContain(`\n  ${command} `);
  });

  it.each(
    COMMANDS.flatMap((command) => [
      [command, "--help"],
      [command, "-h"],
      ["help", command],
    ]),
  )("%s %s tells how it is used", async (...args) => {
    const { code, out, err } = await run(args);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^Usage: sallyport \w+/);
  });

  it("tells its version", async () => {
    expect(await run(["--version"])).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  it.each([
    [[], "Usage:"],
    [["chekc"], "did you mean check?"],
    [["\u001b[2Jx"], '"\\x1b[2Jx"'],
    [["check", "--confg", "x"], "Unknown option '--confg'"],
    [["check", "extra"], 'unexpected argument "extra"'],
    [["check", "--config"], "--config"],
    [["token"], "say create, list or revoke"],
    [["token", "make"], 'there is no "token make"'],
    [["token", "create"], "--user needs"],
    [["token", "create", "--user", "ada"], "--user needs"],
    [["token", "create", "--user", "a@x", "--for", "git,web"], "--for knows git, copilot, api"],
    [["token", "create", "--user", "a@x", "--for", ""], "--for knows"],
    [["token", "create", "--user", "a@x", "--expires", "30"], "--expires needs"],
    [["token", "create", "--user", "a@x", "--expires", "0d"], "--expires needs"],
    [["token", "create", "--user", "a@x", "--expires", "999999d"], "ten years at most"],
    [["token", "create", "--user", "a@x", "--groups", "eng,*"], "a group is a plain name"],
    [["token", "create", "--user", "a@x", "--groups", "user:b@x"], "a group is a plain name"],
    [["token", "revoke"], "say which token"],
  ])("%j is wrong usage: exit code 2, and why", async (args, why) => {
    const { code, out, err } = await run(args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(why);
  });
});
