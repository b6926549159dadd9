import { expect, test } from "vitest";
import { renderWarnings } from "../../../src/flows/push/texts.ts";
import { finding, refFacts } from "../../policy/facts.ts";

const { update } = refFacts("refs/heads/main");
const ref = { update, opinion: { kind: "allow" } } as const;

test("nothing to say, nothing said", () => {
  expect(renderWarnings({ findings: [], refs: [ref] })).toEqual([]);
});

test("what is delivered with a secret in it, since policy only observes that, is told", () => {
  const lines = renderWarnings({ findings: [{ ...finding("block"), path: "a.env" }], refs: [ref] });
  expect(lines.join("\n")).toMatch(/policy lets them pass: .* Revoke what is real:\n {2}a\.env:1:1/);
});

test("what was upstream before is told apart from what may be a secret", () => {
  const lines = renderWarnings({
    findings: [
      { ...finding("warn"), path: "new.env" },
      { ...finding("block"), path: "old.env", known: true },
    ],
    refs: [ref],
  });
  const at = (text: string) => lines.findIndex((line) => line.includes(text));
  expect(at("what may be a secret")).toBeLessThan(at("new.env:1:1"));
  expect(at("new.env:1:1")).toBeLessThan(at("were upstream before this push"));
  expect(at("were upstream before this push")).toBeLessThan(at("old.env:1:1"));
});

test("a check that only observes says what it would do; what it says is escaped", () => {
  const observed = [
    { check: "force-push", opinion: { kind: "reject", reason: "no\u001b[31m force" } },
    {
      check: "protected-refs",
      opinion: {
        kind: "hold",
        reason: "needs 1 approval",
        requirement: { approvers: ["leads"], approvals: 1, waitMs: 0, expiresMs: 1 },
      },
    },
  ] as const;
  const text = renderWarnings({ findings: [], refs: [{ ...ref, observed }] }).join("\n");
  expect(text).toContain("refs/heads/main: would be refused: no");
  expect(text).toContain("refs/heads/main: would be held: needs 1 approval");
  expect(text).not.toContain("\u001b");
});
