/**
 * `/login/device`: the person types the code, reads who asks, and clicks. Three steps on purpose (RFC 8628, section 5.4): a session
 * cookie alone approves nothing, a link cannot bring the code along, and the form that approves belongs to the one request whose
 * code was typed in this browser.
 */
import { Hono, type Context } from "hono";
import { hashToken } from "../../identity/tokens.ts";
import { decideDeviceCode, findPendingDeviceCode } from "../../store/device-codes.ts";
import { insertEvent } from "../../store/events.ts";
import { isId } from "../../model/id.ts";
import { escapeLine } from "../../model/printable.ts";
import { readForm } from "../form.ts";
import { sendPage } from "../pages/layout.tsx";
import { createRateLimit } from "../auth/rate-limit.ts";
import type { Viewer } from "../sign-in.ts";
import { field, FORGED, shellFor, toSignIn } from "./browser.ts";
import { CodePage, DeviceConsentPage, DonePage } from "./consent-pages.tsx";
import { findClient, type GithubDependencies } from "./context.ts";
import { consentOf, grantableTo } from "./issue.ts";
import { parseUserCode } from "./user-code.ts";

/** Wrong codes of one person, at all gateways: 20^8 codes, some thousands of them alive at the most, ten tries. */
const WRONG_CODES = 10;
const WINDOW_MS = 15 * 60_000;

const WRONG =
  "No sign-in waits under this code. Check it, or begin again in your client: a code is good for 15 minutes.";
const TOO_MANY = "Too many wrong codes. Wait a quarter of an hour, and begin again in your client.";
const TOO_LATE = "This sign-in was decided already, or its time is over. Begin again in your client.";
const NOTHING_TO_GIVE =
  "You are signed in with a token that is not for what this client needs. Sign in with another one, and begin again.";

export function createDeviceRoutes(deps: GithubDependencies): Hono {
  const { db, now, signIn } = deps;
  const wrong = createRateLimit({ db, name: "wrong code", limit: WRONG_CODES, windowMs: WINDOW_MS, now });
  const routes = new Hono();

  const sendCodePage = (c: Context, viewer: Viewer, problem: string | null): Promise<Response> => {
    const token = signIn.formToken(c, "/login/device");
    const page = <CodePage shell={shellFor(deps, c, viewer)} token={token} problem={problem} />;
    return sendPage(c, page, problem === null ? 200 : problem === TOO_MANY ? 429 : 403);
  };
  const sendDone = (c: Context, viewer: Viewer, title: string, text: string) =>
    sendPage(c, <DonePage shell={shellFor(deps, c, viewer)} title={title} text={text} />);

  routes.get("/login/device", async (c) => {
    const viewer = await signIn.findViewer(c);
    return viewer === null ? toSignIn(c) : sendCodePage(c, viewer, null);
  });

  routes.post("/login/device", async (c) => {
    const viewer = await signIn.findViewer(c);
    if (viewer === null) return toSignIn(c);
    const form = await readForm(c);
    if (!signIn.isOwnForm(c, form["form"])) return sendCodePage(c, viewer, FORGED);
    const { id } = viewer.principal;
    const tried = await wrong.take(id);
    if (tried === "refused") return sendCodePage(c, viewer, TOO_MANY);
    const code = parseUserCode(form["code"]);
    const request = code === null ? null : await findPendingDeviceCode(db, hashToken(code), now());
    const client = request === null ? null : findClient(deps, request.clientId);
    if (code === null || request === null || client === null) {
      return sendCodePage(c, viewer, tried === "last" ? TOO_MANY : WRONG);
    }
    await wrong.giveBack(id);
    const audiences = grantableTo(client, request.scope, viewer);
    if (audiences.length === 0) return sendCodePage(c, viewer, NOTHING_TO_GIVE);
    // Of this request's own address: what approves one is no good for another, whose code nobody typed here.
    const token = signIn.formToken(c, `/login/device/${request.id}`);
    const shell = shellFor(deps, c, viewer);
    return sendPage(c, <DeviceConsentPage {...{ shell, token, client, request, code, audiences }} />);
  });

  routes.post("/login/device/:id", async (c) => {
    const viewer = await signIn.findViewer(c);
    if (viewer === null) return toSignIn(c);
    const id = c.req.param("id");
    const form = await readForm(c);
    const decision = field(form, "decision");
    if (!isId(id) || !signIn.isOwnForm(c, form["form"]) || (decision !== "approve" && decision !== "deny")) {
      return sendCodePage(c, viewer, FORGED);
    }
    const approved = decision === "approve";
    const decided = await db.transaction(async (tx) => {
      const done = await decideDeviceCode(tx, id, approved ? consentOf(viewer) : null, now());
      if (done) {
        await insertEvent(tx, {
          kind: approved ? "device.approved" : "device.denied",
          principalId: viewer.principal.id,
          repository: null,
          subject: id,
          data: { by: viewer.by.kind },
        });
      }
      return done;
    });
    if (!decided) return sendCodePage(c, viewer, TOO_LATE);
    return approved
      ? sendDone(c, viewer, "Signed in", "Your client goes on by itself within some seconds. This page can be closed.")
      : sendDone(c, viewer, "Refused", `Nobody was signed in as ${escapeLine(viewer.principal.email, 100)}.`);
  });
  return routes;
}
