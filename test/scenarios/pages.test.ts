/** The pages in a real browser: what an auditor does with them, with and without script. */
import { describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { chromiumPath, sharedChromium, signInBy, type VisitorOptions, type Watched } from "../harness/chromium.ts";
import { playStory, PROMPT, STORY_OPTIONS, type Story } from "../harness/pages-story.ts";
import { plantedAwsKey } from "../harness/planted.ts";
import { sharedWorld, type Person } from "../harness/world.ts";

const world = sharedWorld(STORY_OPTIONS);
const visit = sharedChromium();

let told: Promise<Story> | null = null;
const story = (): Promise<Story> => (told ??= playStory(world(), 3));

/** A tab of somebody who has signed in on the page. */
async function tabOf(person: Person, options: VisitorOptions = {}): Promise<Watched> {
  const visitor = await visit(options);
  const tab = await visitor.open();
  await signInBy(tab.page, world().url, person.token);
  return tab;
}

const shownText = (page: Page): Promise<string> => page.locator(".transcript").innerText();

// .ci/run installs it.
test.for(chromiumPath === null ? ["Chromium"] : [])("%s is left out: it is not installed", (_name, { skip }) => {
  skip();
  expect(chromiumPath).toBeNull();
});

describe.skipIf(chromiumPath === null)("in a browser", () => {
  test("an auditor signs in, filters, opens a session, and sees what was done", async () => {
    const { uma, ana } = await story();
    const { page, complaints } = await tabOf(uma);

    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Sessions" }).click();
    await expect.poll(() => page.locator(".list .row").count()).toBe(3);
    await page.getByLabel("Person").fill(ana.email);
    await page.getByLabel("Model").selectOption("gpt-5.4");
    await page.getByLabel("Repository").fill("code/payments/api");
    await page.getByRole("button", { name: "Filter" }).click();
    await expect.poll(() => page.locator(".list .row").count()).toBe(1);
    expect(await page.getByLabel("Person").inputValue()).toBe(ana.email);
    expect(await page.locator(".total").innerText()).toBe("1 session");

    await page.locator(".list .row .title").click();
    await page.waitForURL(/\/sessions\/[0-9a-f-]{36}$/);
    expect(await page.locator(".change .lines .add").first().innerText()).toContain("Counts by key");
    expect(await page.locator(".change .lines .del").first().innerText()).toContain("isAllowed");
    expect(await page.locator("pre.terminal").first().innerText()).toContain("$ git grep");
    expect(await page.locator("article.depth-1").innerText()).toContain("Sub-agent");
    expect(await page.locator("#commits").innerText()).toContain("Limit requests per key");

    // The key was masked before it was written; its mark leads to where else it was seen.
    const mask = page.locator(".prompt .mask").first();
    expect(await mask.innerText()).toContain("aws-access-key");
    expect(await mask.getAttribute("title")).toContain("seen again in 1 other session and 1 push");
    expect(await page.content()).not.toContain(plantedAwsKey);
    await mask.click();
    await expect.poll(() => page.locator(".list .row").count()).toBe(2);
    expect(complaints).toEqual([]);
  });

  test("a mistake in a filter is told beside the filters, and what was written stays", async () => {
    const { uma } = await story();
    const { page } = await tabOf(uma);
    await page.goto(`${world().url}/sessions?since=yesterday&client=copilot-cli`);
    expect(await page.getByRole("alert").innerText()).toContain('"since" is not a time');
    expect(await page.getByLabel("Since").inputValue()).toBe("yesterday");
    await page.getByRole("link", { name: "Clear" }).click();
    await expect.poll(() => page.locator(".list .row").count()).toBe(3);
    await page.getByLabel("Text", { exact: true }).fill("nobody said this");
    await page.getByRole("button", { name: "Filter" }).click();
    await expect.poll(() => page.locator(".empty").innerText()).toBe("No session fits these filters.");
  });

  test("the replay shows the session as it came about, by mouse and by keyboard", async () => {
    const { uma, session } = await story();
    const { page, complaints } = await tabOf(uma);
    await page.goto(`${world().url}/sessions/${session}`);
    const slider = page.getByRole("slider", { name: "Moment of the session" });
    const whole = await shownText(page);
    expect(whole).toContain("Nothing was pushed.");

    const end = Number(await slider.getAttribute("max"));
    // A session of seconds is told in tenths of them, so that it does not stand still.
    const two = (value: number) => String(value).padStart(2, "0");
    const seconds = `${Math.floor(end / 60_000)}:${two(Math.floor(end / 1_000) % 60)}`;
    const told = end < 10_000 ? `${seconds}.${Math.floor(end / 100) % 10}` : seconds;
    expect(await page.locator("#replay output").innerText()).toBe(`whole session · ${told} / ${told}`);
    const seek = (share: number) => slider.fill(String(Math.round((end * share) / 100) * 100));
    await seek(0);
    const start = await shownText(page);
    expect(start).toContain("Make it per key, and test it.");
    expect(start).not.toContain("I'll look at");
    expect(start).not.toContain("Turn 2");

    // Later there is always more of it; and in the middle of an answer, a part of its text.
    let before = start.length;
    let middle = 0;
    for (let share = 0.02; share <= 1; share += 0.02) {
      await seek(share);
      const shown = await shownText(page);
      expect(shown.length).toBeGreaterThanOrEqual(before);
      if ((await page.locator(".answer.streaming .block.text:not(.later)").count()) > 0) middle = share;
      before = shown.length;
    }
    expect(middle).toBeGreaterThan(0);
    // Back from the middle of an answer, it comes whole again.
    await seek(middle);
    await slider.focus();
    await page.keyboard.press("Home");
    await expect.poll(() => slider.inputValue()).toBe("0");
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => slider.inputValue()).toBe("100");
    await expect.poll(() => slider.getAttribute("aria-valuetext")).toContain("exchange 1 of 6");
    await page.keyboard.press("End");
    await expect.poll(() => shownText(page)).toBe(whole);

    // Played at twenty times the speed, it comes to its end by itself.
    await page.getByLabel("Speed").selectOption("20");
    await page.getByRole("button", { name: "Replay" }).click();
    await expect.poll(() => slider.inputValue()).toBe(String(end));
    await expect.poll(() => page.getByRole("button", { name: "Replay" }).count()).toBe(1);
    expect(await shownText(page)).toBe(whole);
    expect(complaints).toEqual([]);
  });

  test("from a push to the prompt behind a line in two clicks, and back to the commit", async () => {
    const { uma, push, session } = await story();
    const { page, complaints } = await tabOf(uma);
    await page.goto(`${world().url}/pushes/${push}`);
    expect(await page.locator(".commit .badge").innerText()).toMatch(/^from a session, \d+ %$/);
    await page.locator('.commit a[href^="/commits/"]').first().click();
    await page.waitForURL(/\/commits\//);
    await page.locator("tr.ai td.v a").first().click();
    await page.waitForURL(new RegExp(`/sessions/${session}\\?at=`));
    const target = page.locator("article.exchange:target");
    await expect.poll(() => target.count()).toBe(1);
    expect(await target.locator(".change").count()).toBeGreaterThan(0);
    expect(await page.locator(".turn", { has: target }).locator(".prompt").first().innerText()).toContain(
      "Make it per key, and test it.",
    );
    await page.locator("#commits a").first().click();
    await page.waitForURL(/\/commits\//);
    await expect.poll(() => page.getByRole("heading", { level: 1 }).innerText()).toBe("Limit requests per key");
    expect(complaints).toEqual([]);
  });

  test("without script everything is there, as plain steps", async () => {
    const { ana, session } = await story();
    const { page, complaints } = await tabOf(ana, { javaScript: false });
    await page.goto(`${world().url}/sessions?client=copilot-cli`);
    await page.locator(".list .row .title").last().click();
    await page.waitForURL(`**/sessions/${session}`);
    const text = await shownText(page);
    for (const said of ["Make it per key", "Counts by key", "$ git grep", "Nothing was pushed."]) {
      expect(text).toContain(said);
    }
    expect(await page.locator("#replay").isVisible()).toBe(false);
    await page.locator(".meta .number").nth(3).click();
    await expect.poll(() => page.locator("article.exchange:target").count()).toBe(1);
    await page.locator("details.result > summary").first().click();
    await expect.poll(() => page.locator("details.result pre").first().isVisible()).toBe(true);
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect.poll(() => page.getByLabel("Gateway token").count()).toBe(1);
    expect(complaints).toEqual([]);
  });

  test("one's own sessions are one's own: another person finds nothing", async () => {
    const { ben, session } = await story();
    const { page } = await tabOf(ben);
    for (const target of [`/sessions/${session}`, `/sessions/${session}/raw/${session}`]) {
      const response = await page.goto(world().url + target);
      expect(response?.status()).toBe(404);
    }
    await page.goto(`${world().url}/sessions`);
    expect(await page.locator(".list .row").count()).toBe(2);
    expect(await page.getByLabel("Person").count()).toBe(0);
  });

  test("the text behind an exchange is plain text, masked", async () => {
    const { uma, session } = await story();
    const { page } = await tabOf(uma);
    await page.goto(`${world().url}/sessions/${session}`);
    await page.locator(".meta .raw").first().click();
    await page.waitForURL(/\/raw\//);
    const text = await page.locator("body").innerText();
    expect(text).toContain(PROMPT.split("\n")[0]);
    expect(text).toMatch(/AWS_ACCESS_KEY_ID=⟦aws-access-key:[0-9a-f]{8}⟧/);
    expect(text).not.toContain(plantedAwsKey);
  });

  const PAGES = ["/", "/sessions", "SESSION", "/pushes", "PUSH", "COMMIT", "/approvals", "/connect"] as const;

  test.for(["light", "dark"] as const)("every page can be read and used by everybody, %s", async (scheme) => {
    const { uma, session, push, commit } = await story();
    const { page, complaints } = await tabOf(uma, { scheme });
    const addresses: Record<string, string> = {
      SESSION: `/sessions/${session}`,
      PUSH: `/pushes/${push}`,
      COMMIT: `/commits/${commit}`,
    };
    for (const name of PAGES) {
      await page.goto(world().url + (addresses[name] ?? name));
      expect({ name, problems: await page.evaluate(accessibilityProblems) }).toEqual({ name, problems: [] });
    }
    expect(complaints).toEqual([]);
    // The check sees what is wrong.
    await page.evaluate("document.querySelector('h1').style.color = 'rgb(128 128 128 / .5)'");
    expect(await page.evaluate(accessibilityProblems)).toHaveLength(1);
  });

  test.for([380, 1_600])("no page is wider than its window, at %i pixels", async (width) => {
    const { uma, session, push, commit } = await story();
    const { page } = await tabOf(uma, { width });
    for (const target of [
      "/",
      "/sessions",
      `/sessions/${session}`,
      "/pushes",
      `/pushes/${push}`,
      `/commits/${commit}`,
    ]) {
      await page.goto(world().url + target);
      const over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
      expect({ target, over }).toEqual({ target, over: 0 });
    }
  });

  test("on a phone, where a line came from stands above it, whole, and takes none of its width", async () => {
    const { uma, commit } = await story();
    const { page } = await tabOf(uma, { width: 390 });
    await page.goto(`${world().url}/commits/${commit}`);
    const box = async (selector: string) => {
      const found = await page.locator(`tr.run-start:first-child > ${selector}`).first().boundingBox();
      if (found === null) throw new Error(`${selector} is not shown`);
      return found;
    };
    const [origin, code, table] = [
      await box("td.v"),
      await box("td.t"),
      await page.locator("table.origins").first().boundingBox(),
    ];
    expect(origin.y + origin.height).toBeLessThanOrEqual(code.y + 1);
    expect(origin.width).toBeGreaterThan(300);
    expect(code.x + code.width).toBeCloseTo((table?.x ?? 0) + (table?.width ?? 0), 0);
    expect(await page.locator("td.v a").first().innerText()).toMatch(/^AI \d+ % · Requests are limited/);
  });
});

/**
 * Runs in the page: every field has a name, headings go down one step at a time, landmarks are there once, and each text has a contrast
 * of 4.5:1 to its ground (WCAG 2.2, 1.4.3).
 */
const accessibilityProblems = `(() => {
  const problems = [];
  const nameOf = (field) => field.getAttribute("aria-label") || [...(field.labels || [])].map((label) => label.innerText.trim()).join("");
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!nameOf(field)) problems.push("no label: " + field.outerHTML.slice(0, 100));
  }
  for (const element of document.querySelectorAll("button, a[href]:not([aria-hidden])")) {
    if (!(element.innerText || element.getAttribute("aria-label") || "").trim()) problems.push("no name: " + element.outerHTML.slice(0, 100));
  }
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) problems.push("heading " + own + " after " + level + ": " + heading.innerText);
    level = own;
  }
  if (document.querySelectorAll("h1").length !== 1) problems.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) problems.push("not one main");
  if (!document.documentElement.lang) problems.push("no language");
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) problems.push("an id twice");

  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, ground) => [0, 1, 2].map((at) => (top[at] * top[3] + ground[at] * (255 - top[3])) / 255);
  const groundOf = (element) => {
    const layers = [];
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 255) break;
    }
    return layers.reverse().reduce((ground, layer) => over(layer, ground), [255, 255, 255]);
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("svg, option")) continue;
    const ground = groundOf(element);
    const text = over(rgba(getComputedStyle(element).color), ground);
    const [light, dark] = [luminance(text), luminance(ground)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const key = element.className + " " + element.tagName;
    if (ratio < 4.5 && !told.has(key)) problems.push("contrast " + ratio.toFixed(2) + ": " + key + ": " + walker.currentNode.data.slice(0, 30));
    told.add(key);
  }
  return problems;
})()`;
