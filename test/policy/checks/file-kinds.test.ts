import { expect, it } from "vitest";
import { fileKinds } from "../../../src/policy/checks/file-kinds.ts";
import { facts, file, policy, refFacts } from "../facts.ts";

const judge = (files: object, ...put: ReturnType<typeof file>[]) =>
  fileKinds
    .judge({ policy: policy({ files }), facts: facts([]) }, { ...refFacts("refs/heads/x"), files: put })
    .map((opinion) => (opinion.kind === "reject" ? opinion.reason : opinion.kind));
const forbid = ["**/*.exe", "secrets/**", "**/.env"];
const link = file("a", { mode: "120000" });
const submodule = file("b", { mode: "160000", bytes: null });

it.each([
  [{}, [file("a.exe"), link, submodule]],
  [{ forbid }, [file("a.exe.txt"), file("exe"), file("x/secrets/a"), file("a.env"), link, submodule]],
  [{ symlinks: "refuse" }, [file("a"), file("b", { mode: "100755" }), submodule]],
  [{ submodules: "refuse" }, [file("a"), link]],
])("under %j lets pass %#", (rules, files) => {
  expect(judge(rules, ...files)).toEqual([]);
});

it.each([
  [{ forbid }, file("a.exe"), "files like **/*.exe"],
  [{ forbid }, file("deep/down/A.EXE"), "files like **/*.exe"],
  [{ forbid }, file("secrets/x/y"), "files like secrets/**"],
  [{ forbid }, file(".ENV", { mode: "120000" }), "files like **/.env"],
  [{ symlinks: "refuse" }, link, "symbolic links are not taken here"],
  [{ submodules: "refuse" }, submodule, "submodules are not taken here"],
])("under %j refuses %j", (rules, put, reason) => {
  expect(judge(rules, file("fine"), put)).toEqual([expect.stringContaining(`commit 2222222222: ${reason}`)]);
});

it("tells every rule that is broken", () => {
  expect(
    judge({ forbid, symlinks: "refuse", submodules: "refuse" }, file("a.exe"), link, submodule, file(".env")),
  ).toHaveLength(4);
});
