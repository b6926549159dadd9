/** `/tokens`: a person's own gateway tokens, made, listed and taken back by themselves. */
import { Hono, type Context } from "hono";
import { isId } from "../../model/id.ts";
import { AUDIENCES, type Audience } from "../../model/principal.ts";
import { escapeLine } from "../../model/printable.ts";
import { insertEvent } from "../../store/events.ts";
import { listTokensOf, revokeOwnToken } from "../../store/tokens.ts";
import { readForm } from "../form.ts";
import { FORGED } from "../pages/approval-routes.tsx";
import { sendMissing, shellOf, type PagesContext, type PagesEnv } from "../pages/context.tsx";
import { sendPage } from "../pages/layout.tsx";
import type { Viewer } from "../sign-in.ts";
import { issueToken } from "./issue-token.ts";
import { TokensPage, LIVES } from "./token-pages.tsx";

const MAX_NAME = 100;

export const grantableAudiences = ({ by }: Viewer): readonly Audience[] =>
  by.kind === "provider" ? AUDIENCES : AUDIENCES.filter((audience) => by.audiences.includes(audience));

export function createTokenPages(pages: PagesContext): Hono<PagesEnv> {
  const { deps, signIn } = pages;
  const { db, mask, now } = deps;
  const routes = new Hono<PagesEnv>();

  const sendTokens = async (
    c: Context<PagesEnv>,
    shown: { readonly problem: string | null; readonly made: string | null },
    status: 200 | 400 | 403 = 200,
  ): Promise<Response> => {
    const tokens = await listTokensOf(db, c.var.viewer.principal.id);
    return sendPage(
      c,
      <TokensPage
        shell={shellOf(pages, c)}
        tokens={tokens}
        audiences={grantableAudiences(c.var.viewer)}
        formToken={signIn.formToken(c, "/tokens")}
        revokeToken={(id) => signIn.formToken(c, `/tokens/${id}/revoke`)}
        {...shown}
      />,
      status,
    );
  };

  routes.get("/tokens", (c) => sendTokens(c, { problem: null, made: null }));

  routes.post("/tokens", async (c) => {
    const form = await readForm(c);
    if (!signIn.isOwnForm(c, form["form"])) return sendTokens(c, { problem: FORGED, made: null }, 403);
    const name = typeof form["name"] === "string" ? escapeLine(mask(form["name"].trim()), MAX_NAME) : "";
    const chosen = [form["for"] ?? []].flat();
    const audiences = AUDIENCES.filter((audience) => chosen.includes(audience));
    const life = LIVES.find(({ value }) => value === form["expires"]);
    if (name === "" || audiences.length === 0 || life === undefined) {
      const problem = "A token needs a name, something that it is for, and a time after which it ends.";
      return sendTokens(c, { problem, made: null }, 400);
    }
    const expiresAt = life.ms === null ? null : new Date(now().getTime() + life.ms);
    const issued = await issueToken(db, c.var.viewer, { name, audiences, expiresAt });
    return issued.ok
      ? sendTokens(c, { problem: null, made: issued.value.token })
      : sendTokens(c, { problem: issued.error, made: null }, 403);
  });

  routes.post("/tokens/:id/revoke", async (c) => {
    const id = c.req.param("id");
    const form = await readForm(c);
    if (!signIn.isOwnForm(c, form["form"])) return sendTokens(c, { problem: FORGED, made: null }, 403);
    const principalId = c.var.viewer.principal.id;
    const revoked = await db.transaction(async (tx) => {
      const found = isId(id) && (await revokeOwnToken(tx, principalId, id, now()));
      if (found) {
        await insertEvent(tx, { kind: "token.revoked", principalId, repository: null, subject: id, data: {} });
      }
      return found;
    });
    return revoked ? c.redirect("/tokens", 303) : sendMissing(pages, c, "token");
  });

  return routes;
}
