/** The pages on which a person types a code, and consents to a client's sign-in. */
import type { OauthClient } from "../../model/oauth-client.ts";
import type { Audience } from "../../model/principal.ts";
import type { DeviceCodeRow } from "../../store/device-codes.ts";
import { Layout, type Shell } from "../pages/layout.tsx";
import { FactList, relativeTime, Time } from "../pages/parts.tsx";

export const CodePage = (props: { shell: Shell; token: string; problem: string | null }) => (
  <Layout title="Sign in a device" shell={props.shell}>
    <div class="narrow">
      <h1>Sign in a device</h1>
      <p>Type the code that your own terminal or editor shows.</p>
      {props.problem !== null && <div class="note bad">{props.problem}</div>}
      <form method="post" action="/login/device">
        <input type="hidden" name="form" value={props.token} />
        <label>
          Code
          <input
            class="code"
            name="code"
            required
            autofocus
            autocomplete="off"
            autocapitalize="characters"
            spellcheck={false}
            placeholder="XXXX-XXXX"
          />
        </label>
        <div class="actions">
          <button class="main" type="submit">
            Continue
          </button>
        </div>
      </form>
      <p class="soft">Never type a code that somebody sent you: whoever it belongs to would be signed in as you.</p>
    </div>
  </Layout>
);

const MEANING: Readonly<Record<Audience, string>> = {
  copilot: "use Copilot through this gateway as you; what it sends and receives is recorded under your name",
  git: "fetch and push through this gateway as you",
  api: "use this gateway's pages and API as you",
};

const May = ({ audiences }: { audiences: readonly Audience[] }) => (
  <>
    {audiences.map((audience) => (
      <div>{MEANING[audience]}</div>
    ))}
  </>
);

const Decide = ({ client }: { client: OauthClient }) => (
  <div class="actions">
    <button class="main" type="submit" name="decision" value="approve">
      Sign in {client.name} as me
    </button>
    <button type="submit" name="decision" value="deny">
      Refuse
    </button>
  </div>
);

export const DeviceConsentPage = (props: {
  shell: Shell;
  token: string;
  client: OauthClient;
  request: DeviceCodeRow;
  /** As the person typed it. */
  code: string;
  audiences: readonly Audience[];
}) => {
  const { client, request, shell } = props;
  return (
    <Layout title="Sign in a device" shell={shell}>
      <div class="narrow ask">
        <h1>Sign in {client.name}?</h1>
        <FactList
          facts={[
            ["Code", <b class="code">{props.code}</b>],
            ["Client", `${client.name}, by its own word`],
            ["Asked from", request.address ?? "an unknown address"],
            [
              "By",
              request.userAgent === "" ? "a program that does not say what it is" : <code>{request.userAgent}</code>,
            ],
            [
              "Asked",
              <>
                <Time at={request.createdAt} /> <span class="soft">({relativeTime(request.createdAt, shell.now)})</span>
              </>,
            ],
            ["It may then", <May audiences={props.audiences} />],
            ["As", shell.viewer?.principal.email ?? ""],
          ]}
        />
        <div class="note warn">
          Go on only if you started this just now, on a machine of your own. If somebody sent you this code or asked you
          to come here, refuse.
        </div>
        <form method="post" action={`/login/device/${request.id}`}>
          <input type="hidden" name="form" value={props.token} />
          <Decide client={client} />
        </form>
      </div>
    </Layout>
  );
};

export interface AuthorizationFields {
  readonly client_id: string;
  readonly redirect_uri: string;
  readonly scope: string;
  readonly state: string;
  readonly code_challenge: string;
}

export const AuthorizePage = (props: {
  shell: Shell;
  token: string;
  client: OauthClient;
  fields: AuthorizationFields;
  audiences: readonly Audience[];
}) => (
  <Layout title="Sign in a client" shell={props.shell}>
    <div class="narrow ask">
      <h1>Sign in {props.client.name}?</h1>
      <FactList
        facts={[
          ["Client", `${props.client.name}, by its own word`],
          ["Sends you on to", <code>{props.fields.redirect_uri}</code>],
          ["It may then", <May audiences={props.audiences} />],
          ["As", props.shell.viewer?.principal.email ?? ""],
        ]}
      />
      <div class="note warn">Go on only if you started this just now, in a program on this machine.</div>
      <form method="post" action="/login/oauth/authorize">
        <input type="hidden" name="form" value={props.token} />
        {Object.entries(props.fields).map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        <Decide client={props.client} />
      </form>
    </div>
  </Layout>
);

export const DonePage = ({ shell, title, text }: { shell: Shell; title: string; text: string }) => (
  <Layout title={title} shell={shell}>
    <div class="narrow">
      <h1>{title}</h1>
      <p>{text}</p>
    </div>
  </Layout>
);
