import { describe, expect, it } from "vitest";
import { mayAccess } from "../../src/git/repository-access.ts";
import type { AccessRule, GitConnection } from "../../src/model/connection.ts";
import type { Principal } from "../../src/model/principal.ts";

const ana: Principal = {
  id: "1",
  issuer: "i",
  subject: "s",
  email: "ana@example.com",
  kind: "person",
  groups: ["eng", "team-a"],
  audiences: ["git"],
};
const connection = (allow: readonly string[], access: readonly AccessRule[] | null): GitConnection => ({
  kind: "git",
  name: "code",
  url: "http://upstream/",
  credential: { kind: "none" },
  allow,
  access,
  dumb: "refuse",
});

describe("mayAccess", () => {
  it("gives everything to those allowed where there are no rules, and nothing to others", () => {
    expect(mayAccess(ana, connection(["eng"], null), "any/repo", "write")).toBe(true);
    expect(mayAccess(ana, connection(["user:Ana@Example.com"], null), "any/repo", "read")).toBe(true);
    expect(mayAccess(ana, connection(["ops"], null), "any/repo", "read")).toBe(false);
    expect(mayAccess(ana, connection([], null), "any/repo", "read")).toBe(false);
  });

  it("gives nothing that no rule names", () => {
    const rules = [
      { repositories: ["team-a/**"], read: ["eng"], write: ["team-a"] },
      { repositories: ["drop-box"], read: [], write: ["eng"] },
      { repositories: ["team-b/**"], read: ["*"], write: ["team-b"] },
    ];
    const code = connection(["eng"], rules);
    expect(mayAccess(ana, code, "team-a/x/y", "write")).toBe(true);
    expect(mayAccess(ana, code, "team-b/x", "read")).toBe(true);
    expect(mayAccess(ana, code, "team-b/x", "write")).toBe(false);
    expect(mayAccess(ana, code, "team-c/x", "read")).toBe(false);
    expect(mayAccess(ana, code, "Team-A/x", "read")).toBe(false);
    expect(mayAccess(ana, code, "drop-box", "write")).toBe(true);
    expect(mayAccess(ana, code, "drop-box", "read")).toBe(false);
  });

  it("asks for `allow` first", () => {
    const rules = [{ repositories: ["**"], read: ["*"], write: ["*"] }];
    expect(mayAccess(ana, connection(["ops"], rules), "x", "read")).toBe(false);
  });
});
