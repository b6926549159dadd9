/**
 * Who may decide on a held push. A link carries no authority, and where an identity provider exists a token carries none either: an
 * agent on an approver's laptop finds the approver's token, and must not be able to decide with it. No I/O, no clock.
 */
import { formatDuration } from "../../model/duration.ts";
import { GATEWAY_ISSUER, type Principal } from "../../model/principal.ts";
import { isNamed } from "../../model/who.ts";
import type { Requirement } from "../../store/approvals.ts";

export interface Decider {
  readonly principal: Principal;
  /**
   * A browser that signed in at the identity provider, with when the person proved there who they are (null: it does not say).
   * Null for everything else: gateway tokens, JWTs.
   */
  readonly session: { readonly authenticatedAt: Date | null } | null;
}

/** What is asked of deciders where people sign in at an identity provider. */
export interface SignInRule {
  readonly maxAgeMs: number;
}

export interface NotDeciding {
  readonly message: string;
  /** Signing in once more, for certain, would help. */
  readonly mustSignIn: boolean;
}

/** Whether a requirement's approvers name this principal. Groups and `*` mean people: a service counts where it is named itself. */
export const isApprover = (who: Pick<Principal, "email" | "groups" | "kind">, approvers: readonly string[]): boolean =>
  isNamed(who, who.kind === "person" ? approvers : approvers.filter((name) => name.startsWith("user:")));

/**
 * Why this one may not decide, or null if they may. Also what a page shows instead of the buttons.
 * @param rule null: there is no identity provider, and a gateway token decides
 */
export function whyNotDecide(
  { principal, session }: Decider,
  approval: { readonly pusherId: string; readonly requirements: readonly Requirement[] },
  rule: SignInRule | null,
  now: Date,
): NotDeciding | null {
  const never = (message: string): NotDeciding => ({ message, mustSignIn: false });
  if (!principal.audiences.includes("api"))
    return never("this credential is not for the API: sign in with one that is");
  if (principal.id === approval.pusherId) return never("the person who pushed cannot decide on their own push");
  if (!approval.requirements.some(({ approvers }) => isApprover(principal, approvers))) {
    const names = [...new Set(approval.requirements.flatMap((requirement) => requirement.approvers))].join(", ");
    return never(`only these may decide: ${names === "" ? "nobody is named by the policy" : names}`);
  }
  // An operator's own service, named one by one in the rule. A provider's machine account is not one.
  if (rule === null || (principal.kind === "service" && principal.issuer === GATEWAY_ISSUER)) return null;
  if (session === null) {
    return never("deciding needs a person's own recent sign-in, and a token is none: open this approval in a browser");
  }
  if (session.authenticatedAt === null) {
    return never(
      "the identity provider does not say when you last proved who you are (auth_time): the gateway's operator can change that, see identity.oidc.authTime",
    );
  }
  if (now.getTime() - session.authenticatedAt.getTime() <= rule.maxAgeMs) return null;
  const message = `your sign-in at the identity provider is older than ${formatDuration(rule.maxAgeMs)}: sign in again to decide`;
  return { message, mustSignIn: true };
}
