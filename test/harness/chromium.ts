/** A real browser, the distribution's Chromium, driven by Playwright's library. */
import { existsSync } from "node:fs";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export const chromiumPath: string | null = PLACES.find((path) => existsSync(path)) ?? null;

/** What a page must never cause: script errors, refused resources, requests to anywhere else. */
export interface Watched {
  readonly page: Page;
  /** In the order in which they came. */
  readonly complaints: readonly string[];
}

export interface Visitor {
  readonly context: BrowserContext;
  open(): Promise<Watched>;
}

export interface VisitorOptions {
  readonly javaScript?: boolean;
  readonly scheme?: "light" | "dark";
  readonly width?: number;
}

/** One browser for all tests of a file. */
export function sharedChromium(): (options?: VisitorOptions) => Promise<Visitor> {
  let browser: Browser | null = null;
  beforeAll(async () => {
    if (chromiumPath === null) return;
    browser = await chromium.launch({
      executablePath: chromiumPath,
      timeout: 120_000,
      // Chromium's own sandbox needs namespaces that containers and the root user do not have; the pages come from this test alone.
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    });
  });
  afterAll(() => browser?.close());
  return async (options = {}) => {
    if (browser === null) throw new Error("Chromium is there in tests only, where it is installed");
    const context = await browser.newContext({
      javaScriptEnabled: options.javaScript ?? true,
      colorScheme: options.scheme ?? "light",
      viewport: { width: options.width ?? 1_280, height: 900 },
    });
    return {
      context,
      open: async () => {
        const complaints: string[] = [];
        const page = await context.newPage();
        page.setDefaultTimeout(120_000);
        page.on("console", (message) => {
          if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
        });
        page.on("pageerror", (error) => complaints.push(error.message));
        page.on("requestfailed", (request) => {
          // Left for the next page before it came.
          if (request.failure()?.errorText === "net::ERR_ABORTED") return;
          complaints.push(`${request.url()}: ${request.failure()?.errorText ?? ""}`);
        });
        page.on("request", (request) => {
          const here = new URL(page.url() === "about:blank" ? request.url() : page.url()).origin;
          if (new URL(request.url()).origin !== here) complaints.push(`a request to ${request.url()}`);
        });
        return { page, complaints };
      },
    };
  };
}

/** Signs in on the gateway's own page, with a token of a person's. */
export async function signInBy(page: Page, url: string, token: string): Promise<void> {
  await page.goto(`${url}/`);
  await page.getByLabel("Gateway token").fill(token);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect.poll(() => page.getByRole("button", { name: "Sign out" }).count()).toBe(1);
}
