/** As much of a browser as the pages need: a cookie jar, forms with their hidden fields, redirects left visible. */
import type { Hono } from "hono";
import type { Database } from "../../src/store/database.ts";
import { createPagesRoutes, type PagesDependencies } from "../../src/web/pages.tsx";
import { apiDependencies } from "./api-fixtures.ts";

export function pagesDependencies(db: Database, changes: Partial<PagesDependencies> = {}): PagesDependencies {
  return {
    ...apiDependencies(db),
    provider: null,
    clientAddress: () => null,
    signIns: null,
    connections: new Map(),
    steeredTo: null,
    ...changes,
  };
}

const unescape = (html: string): string =>
  html
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");

export interface Visit {
  readonly status: number;
  readonly html: string;
  readonly location: string | null;
  readonly headers: Headers;
}

export class Browser {
  readonly cookies = new Map<string, string>();
  readonly #app: Hono;
  #visit: Visit | null = null;

  /** @param app the routes, where they are more than the pages */
  constructor(deps: PagesDependencies, app?: Hono) {
    this.#app = app ?? (createPagesRoutes(deps) as unknown as Hono);
  }

  async #send(
    path: string,
    init: { method?: string; body?: string; headers?: Record<string, string> },
  ): Promise<Visit> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { ...init.headers, ...(cookie === "" ? {} : { cookie }) };
    const response = await this.#app.request(path, { ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "" || /max-age=0/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    this.#visit = {
      status: response.status,
      html: await response.text(),
      location: response.headers.get("location"),
      headers: response.headers,
    };
    return this.#visit;
  }

  get(path: string): Promise<Visit> {
    return this.#send(path, {});
  }

  /** The hidden fields of the form of the page last visited that posts to `action`. */
  hidden(action: string): Record<string, string> {
    const forms = this.#visit?.html.match(/<form[^>]*method="post".*?<\/form>/gs) ?? [];
    const form = forms.find((text) => text.includes(`action="${action}"`));
    if (form === undefined) throw new Error(`the page has no form for ${action}`);
    const fields = form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g);
    return Object.fromEntries([...fields].map(([, name = "", value = ""]) => [name, unescape(value)]));
  }

  post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Visit> {
    return this.send(path, new URLSearchParams(fields).toString(), headers);
  }

  /** A form's text as it stands. */
  send(path: string, body: string, headers: Record<string, string> = {}): Promise<Visit> {
    const type = { "content-type": "application/x-www-form-urlencoded" };
    return this.#send(path, { method: "POST", headers: { ...type, ...headers }, body });
  }

  /** Fills in and sends the form of the page last visited. */
  submit(action: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Visit> {
    return this.post(action, { ...this.hidden(action), ...fields }, { "sec-fetch-site": "same-origin", ...headers });
  }

  async signIn(token: string): Promise<Visit> {
    await this.get("/");
    return this.submit("/sign-in", { token });
  }
}
