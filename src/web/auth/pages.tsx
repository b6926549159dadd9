/** What people see of signing in and out at an identity provider. */
import type { EndSession } from "../../identity/oidc/provider.ts";
import { Layout, type Shell } from "../pages/layout.tsx";

/** The address that sends a browser to the provider, and back to `target` (a path of this gateway) afterwards. */
export const signInPath = (target: string, options: { readonly isFresh: boolean } = { isFresh: false }): string =>
  `/sign-in/provider?${new URLSearchParams({ return: target, ...(options.isFresh ? { fresh: "1" } : {}) }).toString()}`;

export const ProviderSignInPage = (props: {
  shell: Shell;
  /** What the provider is called. */
  name: string;
  target: string;
  problem: string | null;
}) => (
  <Layout title="Sign in" shell={props.shell}>
    <div class="narrow">
      <h1>Sign in</h1>
      {props.problem !== null && <div class="note bad">{props.problem}</div>}
      <p class="soft">People are known here by {props.name}.</p>
      <div class="actions">
        <a class="button main" href={signInPath(props.target)}>
          Sign in with {props.name}
        </a>
      </div>
    </div>
  </Layout>
);

export const SignedOutPage = (props: { shell: Shell; name: string; end: EndSession }) => (
  <Layout title="Signed out" shell={props.shell}>
    <div class="narrow">
      <h1>Signed out</h1>
      <p>You are signed out of Sallyport, and still signed in at {props.name}.</p>
      <form method="post" action={props.end.action}>
        {Object.entries(props.end.fields).map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        <div class="actions">
          <button class="main" type="submit">
            Sign out of {props.name} too
          </button>
          <a href="/">Sign in again</a>
        </div>
      </form>
    </div>
  </Layout>
);
