import type { Audience } from "../../model/principal.ts";
import type { TokenRow } from "../../store/tokens.ts";
import { Layout, type Shell } from "../pages/layout.tsx";
import { Badge, Time } from "../pages/parts.tsx";

const DAY_MS = 86_400_000;

/** How long a token may live, as the form offers it. */
export const LIVES: readonly { readonly value: string; readonly name: string; readonly ms: number | null }[] = [
  { value: "30d", name: "30 days", ms: 30 * DAY_MS },
  { value: "90d", name: "90 days", ms: 90 * DAY_MS },
  { value: "365d", name: "a year", ms: 365 * DAY_MS },
  { value: "never", name: "until it is revoked", ms: null },
];

const PURPOSES: Readonly<Record<Audience, string>> = {
  git: "git: clone, fetch and push",
  copilot: "Copilot and other model clients",
  api: "the API: reading what is on record",
};

const statusOf = (token: TokenRow, now: Date): "revoked" | "expired" | "good" =>
  token.revokedAt !== null ? "revoked" : token.expiresAt !== null && token.expiresAt <= now ? "expired" : "good";

export const TokensPage = (props: {
  shell: Shell;
  /** This person's, newest first. */
  tokens: readonly TokenRow[];
  /** What a token of theirs may be for. */
  audiences: readonly Audience[];
  formToken: string;
  revokeToken: (id: string) => string;
  problem: string | null;
  /** A token that was made just now: shown this once. */
  made: string | null;
}) => (
  <Layout title="Tokens" shell={props.shell}>
    <h1>Your tokens</h1>
    {props.problem !== null && <div class="note bad">{props.problem}</div>}
    {props.made !== null && (
      <div class="note good">
        This is the new token. It is shown this once; only a hash of it is kept.
        <div class="copy">
          <pre>{props.made}</pre>
        </div>
      </div>
    )}
    <div class="sheet">
      {props.tokens.length === 0 ? (
        <div class="empty">You have none yet.</div>
      ) : (
        <table class="rows">
          <thead>
            <tr>
              <th>Name</th>
              <th>For</th>
              <th class="tight">Made</th>
              <th class="tight">Last used</th>
              <th class="tight">Ends</th>
              <th class="tight"></th>
            </tr>
          </thead>
          <tbody>
            {props.tokens.map((token) => (
              <tr class={statusOf(token, props.shell.now) === "good" ? undefined : "over"}>
                <td data-label="Name">{token.name}</td>
                <td data-label="For">{token.audiences.join(", ")}</td>
                <td class="tight" data-label="Made">
                  <Time at={token.createdAt} now={props.shell.now} />
                </td>
                <td class="tight" data-label="Last used">
                  {token.lastUsedAt === null ? (
                    <span class="soft">never</span>
                  ) : (
                    <Time at={token.lastUsedAt} now={props.shell.now} />
                  )}
                </td>
                <td class="tight" data-label="Ends">
                  {token.expiresAt === null ? (
                    <span class="soft">when revoked</span>
                  ) : (
                    <Time at={token.expiresAt} now={props.shell.now} />
                  )}
                </td>
                <td class="tight">
                  {statusOf(token, props.shell.now) === "good" ? (
                    <form method="post" action={`/tokens/${token.id}/revoke`}>
                      <input type="hidden" name="form" value={props.revokeToken(token.id)} />
                      <button class="plain" type="submit">
                        Revoke
                      </button>
                    </form>
                  ) : (
                    <Badge status={statusOf(token, props.shell.now)} />
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
    <h2>A new one</h2>
    <div class="sheet pad">
      <form class="decide" method="post" action="/tokens">
        <input type="hidden" name="form" value={props.formToken} />
        <label>
          Name, to tell it from the others
          <input name="name" required maxlength={100} placeholder="laptop" />
        </label>
        <fieldset>
          <legend>What it is for</legend>
          {props.audiences.map((audience) => (
            <label class="check">
              <input type="checkbox" name="for" value={audience} checked={audience === "git"} /> {PURPOSES[audience]}
            </label>
          ))}
        </fieldset>
        <label>
          It ends after
          <select name="expires">
            {LIVES.map(({ value, name }) => (
              <option value={value}>{name}</option>
            ))}
          </select>
        </label>
        <div class="actions">
          <button class="main" type="submit">
            Make a token
          </button>
        </div>
      </form>
    </div>
    <p class="soft">
      A revoked token is refused by every gateway within five seconds. What was made with it ends as well.
    </p>
  </Layout>
);
