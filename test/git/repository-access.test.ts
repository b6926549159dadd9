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

  it("adds rules up, and names to the letter: no other spelling gets more", () => {
    const code = connection(
      ["eng"],
      [
        { repositories: ["app-*", "*/docs"], read: ["eng"], write: [] },
        { repositories: ["app-one"], read: [], write: ["team-a"] },
      ],
    );
    expect(mayAccess(ana, code, "app-one", "read")).toBe(true);
    expect(mayAccess(ana, code, "app-one", "write")).toBe(true);
    expect(mayAccess(ana, code, "x/docs", "read")).toBe(true);
    for (const path of [
      "APP-one",
      "app-One",
      "app-one/x",
      "App-two",
      "x/Docs",
      "docs",
      "x/y/docs",
      "app-one.git",
      "app\u2010one",
      "",
    ]) {
      expect([path, mayAccess(ana, code, path, "write")]).toEqual([path, false]);
    }
    for (const path of ["APP-one", "App-two", "x/Docs", "docs", "x/y/docs"]) {
      expect([path, mayAccess(ana, code, path, "read")]).toEqual([path, false]);
    }
  });

  it("gives nothing to nobody, and nothing by an empty list of rules", () => {
    expect(mayAccess(ana, connection(["*"], []), "x", "read")).toBe(false);
    expect(mayAccess({ ...ana, email: "", groups: [] }, connection(["user:"], null), "x", "read")).toBe(false);
  });

  it("asks for `allow` first", () => {
    const rules = [{ repositories: ["**"], read: ["*"], write: ["*"] }];
    expect(mayAccess(ana, connection(["ops"], rules), "x", "read")).toBe(false);
  });
});
