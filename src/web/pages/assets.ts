/** What pages load: each under an address that changes with its content, so that browsers may keep it for good. */
import { createHash } from "node:crypto";
import { REPLAY_SCRIPT } from "./replay/replay-script.ts";
import { STYLESHEET } from "./stylesheet.ts";

export interface Asset {
  readonly path: string;
  readonly type: string;
  readonly body: string;
}

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#4f87a6" stroke-width="2.4"><path d="M3 21V10a9 9 0 0 1 18 0v11"/><path d="M8 21V11a4 4 0 0 1 8 0v10M12 7v14"/></svg>`;

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

const asset = (name: string, extension: string, type: string, body: string): Asset => ({
  path: `/${name}-${sha256(body).toString("hex").slice(0, 12)}.${extension}`,
  type,
  body,
});

export const STYLES = asset("style", "css", "text/css; charset=utf-8", STYLESHEET);
export const ICON_FILE = asset("icon", "svg", "image/svg+xml", ICON);
export const REPLAY = asset("replay", "js", "text/javascript; charset=utf-8", REPLAY_SCRIPT);

/** For the policy of a page and the element's `integrity`: exactly this text may run. */
export const REPLAY_HASH = `sha256-${sha256(REPLAY_SCRIPT).toString("base64")}`;

export const ASSETS: readonly Asset[] = [STYLES, ICON_FILE, REPLAY];
