import { describe, expect, it } from "vitest";
import { directoryWith } from "../config/files.ts";
import { run } from "./command-io.ts";

const RULE = (id: string, example: string) => `rules:
  - id: ${id}
    description: A test's key
    severity: block
    reference: https://example.com/keys
    keywords: [tkey_]
    regex: tkey_[a-z]{8}
    examples: { match: [${example}] }
`;
const CONFIG = "secrets: { rules: [./rules.yaml] }\n";

describe("sallyport check", () => {
  it("says what a good configuration comes to", async () => {
    const cwd = await directoryWith({
      "c.yaml": `listen: 127.0.0.1:1\n${CONFIG}`,
      "rules.yaml": RULE("a-key", "tkey_abcdefgh"),
    });
    const { code, out, err } = await run(["check", "--config", "c.yaml"], { cwd });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("c.yaml: no mistakes.");
    expect(out).toContain("127.0.0.1:1");
    expect(out).toContain("1 rule,");
  });

  it("finds nothing wrong with what is shipped", async () => {
    expect(await run(["check"], { cwd: await directoryWith({}) })).toMatchObject({ code: 0, err: "" });
  });

  it("tells every mistake with its place", async () => {
    const cwd = await directoryWith({ "c.yaml": "listen: 5\nrecordin: {}\n" });
    expect(await run(["check"], { cwd, env: { SALLYPORT_CONFIG: "c.yaml" } })).toEqual({
      code: 1,
      out: [
        "c.yaml:1:9: listen: expected host:port, as in 127.0.0.1:8080 or [::1]:8080",
        "c.yaml:2:1: recordin: unknown key; did you mean recording?",
        "2 mistakes in the configuration.",
        "",
      ].join("\n"),
      err: "",
    });
  });

  it.each([
    ["a rule file that is none", "rules: 5", "./rules.yaml:1:1: "],
    [
      "a rule that misses its own example",
      RULE("a-key", "tkey_short"),
      "./rules.yaml:2:1: a-key: example 1 of `match` is not found",
    ],
  ])("tells %s", async (_, rules, expected) => {
    const cwd = await directoryWith({ "c.yaml": CONFIG, "rules.yaml": rules });
    const { code, out } = await run(["check", "--config", "c.yaml"], { cwd });
    expect(code).toBe(1);
    expect(out).toContain(expected);
  });

  it("tells of two rules that go by one name", async () => {
    const rules = RULE("a-key", "tkey_abcdefgh");
    const cwd = await directoryWith({
      "c.yaml": "secrets: { rules: [./one.yaml, ./two.yaml] }\n",
      "one.yaml": rules,
      "two.yaml": rules,
    });
    const { code, out } = await run(["check", "--config", "c.yaml"], { cwd });
    expect(code).toBe(1);
    expect(out).toContain("./two.yaml:2:1: a-key: there is a rule of this id in ./one.yaml already");
  });
});
