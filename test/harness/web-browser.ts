/** A browser over real sockets, as far as signing in needs one: cookies by host, redirects followed across sites, forms. */

export interface WebVisit {
  readonly url: URL;
  readonly status: number;
  readonly html: string;
  readonly headers: Headers;
  /** Every address on the way, the last one included. */
  readonly way: readonly string[];
}

export class WebBrowser {
  /** `host name` → cookie. As in real browsers, ports do not tell hosts apart. */
  readonly cookies = new Map<string, string>();
  readonly #fetch: (url: URL, init: RequestInit) => Promise<Response>;
  #visit: WebVisit | null = null;

  /** @param send in place of `fetch`, for names that nothing resolves */
  constructor(send: (url: URL, init: RequestInit) => Promise<Response> = (url, init) => fetch(url, init)) {
    this.#fetch = send;
  }

  cookieHeader(url: URL): string {
    return [...this.cookies]
      .filter(([key]) => key.startsWith(`${url.hostname} `))
      .map(([key, value]) => `${key.slice(url.hostname.length + 1)}=${value}`)
      .join("; ");
  }

  /** The cookie of a name on a host; undefined where there is none. */
  cookie(url: string, name: string): string | undefined {
    return this.cookies.get(`${new URL(url).hostname} ${name}`);
  }

  async #request(url: URL, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    const cookie = this.cookieHeader(url);
    if (cookie !== "") headers.set("cookie", cookie);
    const response = await this.#fetch(url, { ...init, headers, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      const key = `${url.hostname} ${name}`;
      const isGone = value === "" || /max-age=0/i.test(line) || /expires=Thu, 01 Jan 1970/i.test(line);
      if (isGone) this.cookies.delete(key);
      else this.cookies.set(key, value);
    }
    return response;
  }

  /** @param stopAt a redirect whose target this holds for is not followed: its address is the visit's */
  async open(
    address: string | URL,
    init: RequestInit = {},
    stopAt: (url: URL) => boolean = () => false,
  ): Promise<WebVisit> {
    let url = new URL(address);
    const headers = new Headers(init.headers);
    headers.set("accept", "text/html");
    let response = await this.#request(url, { ...init, headers });
    const way = [url.href];
    while (response.status >= 300 && response.status < 400) {
      const location = response.headers.get("location");
      if (location === null) break;
      url = new URL(location, url);
      way.push(url.href);
      if (stopAt(url)) break;
      await response.body?.cancel();
      response = await this.#request(url, { headers: { accept: "text/html" } });
    }
    this.#visit = { url, status: response.status, html: await response.text(), headers: response.headers, way };
    return this.#visit;
  }

  /** Sends the page's form whose action holds `action`, its hidden fields and these. */
  async submit(
    action: string,
    fields: Readonly<Record<string, string>> = {},
    stopAt?: (url: URL) => boolean,
  ): Promise<WebVisit> {
    const { html, url } = this.#visit ?? { html: "", url: new URL("about:blank") };
    const form = (html.match(/<form[\s\S]*?<\/form>/g) ?? []).find((text) =>
      attribute(text, "action").includes(action),
    );
    if (form === undefined) throw new Error(`no form for ${action} on ${url.href}: ${html.slice(0, 500)}`);
    const inputs = (form.match(/<input[^>]*>/g) ?? []).map((tag) => [attribute(tag, "name"), attribute(tag, "value")]);
    const target = new URL(attribute(form, "action"), url);
    const init: RequestInit = {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        origin: url.origin,
        "sec-fetch-site": target.origin === url.origin ? "same-origin" : "cross-site",
      },
      body: new URLSearchParams({ ...(Object.fromEntries(inputs) as Record<string, string>), ...fields }).toString(),
    };
    return this.open(target, init, stopAt);
  }

  /** Signs in at the gateway by its provider's page. @returns where it ended */
  async signIn(gatewayUrl: string, account: string, target = "/"): Promise<WebVisit> {
    const page = await this.open(`${gatewayUrl}/sign-in/provider?return=${encodeURIComponent(target)}`);
    return page.url.pathname.startsWith("/interaction/") ? this.submit("/interaction/", { account }) : page;
  }
}

const attribute = (tag: string, name: string): string => {
  const [, value = ""] = new RegExp(`\\s${name}="([^"]*)"`).exec(tag) ?? [];
  return value.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<").replaceAll("&amp;", "&");
};
