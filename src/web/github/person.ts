/** A person in the form that GitHub's API has. */
import { createHash } from "node:crypto";
import type { Principal } from "../../model/principal.ts";

type Known = Pick<Principal, "id" | "email">;

/** GitHub's user names are letters, digits, hyphens and (in companies) an underscore. For display; a person is known by their id. */
export function loginOf({ email }: Known): string {
  const [local = "", domain = ""] = email.toLowerCase().split("@");
  const plain = (text: string) => text.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
  return [plain(local) || "person", plain(domain)].filter((part) => part !== "").join("_");
}

/** A number that stays theirs; clients tell accounts apart by it. 48 bits, so that every client can hold it. */
export const numberOf = ({ id }: Known): number => createHash("sha256").update(id).digest().readUIntBE(0, 6);

export function userOf(person: Known, publicUrl: string): Readonly<Record<string, unknown>> {
  const login = loginOf(person);
  const number = numberOf(person);
  return {
    login,
    id: number,
    node_id: Buffer.from(`04:User${number}`).toString("base64"),
    avatar_url: "",
    gravatar_id: "",
    url: `${publicUrl}/api/v3/user`,
    html_url: `${publicUrl}/`,
    type: "User",
    site_admin: false,
    name: person.email,
    company: null,
    email: person.email,
    two_factor_authentication: true,
    plan: { name: "enterprise", space: 0, collaborators: 0, private_repos: 0 },
  };
}
